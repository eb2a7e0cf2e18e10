import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BroadcastChannel } from 'node:worker_threads'
import { createPool, type PoolOptions } from '../../../src/primary/audit/pool.ts'
import { openThreads } from '../../../src/primary/audit/threads.ts'
import { packLoad } from '../../../src/shared/audit/log-wire.ts'
import { formatLine } from '../../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../../src/shared/log.ts'
import { record as keepForCodes } from '../../rigs/daemon.ts'
import { STUMBLE, type TestTasks } from './pool-tasks.ts'

function open(options: Partial<PoolOptions> = {}) {
  const failures: string[] = []
  const module = new URL('pool-tasks.ts', import.meta.url)
  const failed = ({ message }: Error): void => void failures.push(message)
  const pool = createPool<TestTasks>({ module, threads: 1, queue: 10, graceMs: 5000, failed, ...options })
  return { pool, failures, [Symbol.asyncDispose]: () => pool.close() }
}
/** Lets a thread fail that has run the task `stumble`. */
function stumble(): void {
  const channel = new BroadcastChannel(STUMBLE)
  channel.postMessage(undefined)
  channel.close()
}
/** Occupies a thread until it is let go. */
async function occupy({ pool }: ReturnType<typeof open>) {
  const flag = new Int32Array(new SharedArrayBuffer(8))
  const ended = pool.run('spin', { flag })
  const begun = Atomics.waitAsync(flag, 1, 0)
  if (begun.async) await begun.value
  return {
    ended,
    letGo() {
      Atomics.store(flag, 0, 1)
      Atomics.notify(flag, 0)
    },
  }
}

test('a task gets its data and gives its result; what it throws is thrown here', async () => {
  await using rig = open()
  assert.equal(await rig.pool.run('add', { a: 2, b: 3 }), 5)
  await assert.rejects(rig.pool.run('fail', null), /told to fail/)
  assert.equal(await rig.pool.run('add', { a: 1, b: 1 }), 2)
})

test('memory that is transferred is lost here and whole there', async () => {
  await using rig = open()
  const bytes = new Uint8Array(100_000)
  const size = rig.pool.run('size', bytes, { transfer: [bytes.buffer] })
  assert.equal(await size, 100_000)
  assert.equal(bytes.length, 0)
})

test('an abort reaches the task that runs, and neither its thread nor the other task in it ends', async () => {
  await using rig = open({ perThread: 2 })
  const thread = await rig.pool.run('where', null)
  const [first, second] = [new AbortController(), new AbortController()]
  const waits = [first, second].map(({ signal }) => rig.pool.run('wait', null, { signal }))
  first.abort(new Error('enough'))
  assert.equal(await waits[0], 'Error: enough')
  second.abort(new Error('enough too'))
  assert.equal(await waits[1], 'Error: enough too')
  assert.equal(await rig.pool.run('where', null), thread)
})

test('a task that is aborted while it waits for a thread learns of it when it runs', async () => {
  await using rig = open()
  const { ended, letGo } = await occupy(rig)
  const controller = new AbortController()
  const waits = rig.pool.run('wait', null, { signal: controller.signal })
  assert.equal(rig.pool.waiting, 1)
  controller.abort(new Error('too late'))
  letGo()
  await ended
  assert.equal(await waits, 'Error: too late')
  await assert.rejects(rig.pool.run('wait', null, { signal: controller.signal }), /too late/)
})

test('more tasks than may wait are refused, not kept', async () => {
  await using rig = open({ queue: 2 })
  const { ended, letGo } = await occupy(rig)
  const sums = [1, 2].map((a) => rig.pool.run('add', { a, b: 0 }))
  await assert.rejects(rig.pool.run('add', { a: 3, b: 0 }), /limit/)
  letGo()
  await ended
  assert.deepEqual(await Promise.all(sums), [1, 2])
})

test('a thread that fails outside of its tasks is told of and replaced', async () => {
  const failure = Promise.withResolvers<Error>()
  await using rig = open({ failed: failure.resolve })
  const first = await rig.pool.run('where', null)
  await rig.pool.run('stumble', null)
  stumble()
  assert.match((await failure.promise).message, /after the task/)
  assert.notEqual(await rig.pool.run('where', null), first)
})

test('closing waits for the task that runs, and drops those that wait', async () => {
  const rig = open()
  const { ended, letGo } = await occupy(rig)
  const sum = rig.pool.run('add', { a: 1, b: 2 })
  const dropped = assert.rejects(sum)
  const closed = rig.pool.close()
  await dropped
  letGo()
  await Promise.all([ended, closed])
})

test('closing ends a task that does not end by itself, and tells of no failure', async () => {
  const rig = open({ graceMs: 1 })
  const { ended } = await occupy(rig)
  const stuck = assert.rejects(ended)
  await rig.pool.close()
  await stuck
  assert.deepEqual(rig.failures, [])
})

test('a failure of a thread that writes logs is in the log of the daemon', async () => {
  const failure = Promise.withResolvers<LogRecord>()
  const write = (record: LogRecord): void => {
    keepForCodes(formatLine(record, 'ljson').trimEnd())
    failure.resolve(record)
  }
  const log = createLog({ level: 'debug', write })
  const pool = openThreads(1, log, 1000, new URL('pool-tasks.ts', import.meta.url))
  const facts = { startTime: 0, remoteAddr: '', authenticated: false, username: '', country: 'XX' }
  const state = { connectionId: '', folders: [], files: [], fileCount: 0, chain: undefined, latest: 0n, facts }
  const settings = { format: 'gzip', recipients: [], mostChannels: 1 } as const
  await pool.run('store', packLoad(settings, [{ state, batches: [], end: undefined }]))
  stumble()
  const { code, message } = await failure.promise
  assert.equal(code, 'AUDIT_THREAD_FAILED')
  assert.match(message, /after the task/)
  await pool.close()
})
