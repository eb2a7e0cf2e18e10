import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { defaults } from '../../src/shared/config/schema.ts'
import { ownerLabel } from '../../src/shared/identity.ts'
import { type Order, orders, type Report, reports } from '../../src/shared/ipc/contract.ts'
import { createLink } from '../../src/shared/ipc/link.ts'
import { echoWorker, until } from '../primary/rig.ts'

/** A worker without a fleet: the test is its primary, and may misbehave. */
function startWorker() {
  const child = spawn(process.execPath, [fileURLToPath(echoWorker)], {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc', 'pipe'],
    env: { ...process.env, NODE_UNIQUE_ID: '1', NODE_CHANNEL_FD: '3' },
  })
  const stream = child.stdio[4]
  assert.ok(stream instanceof Duplex)
  const received: Report[] = []
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const receive = (report: Report): void => {
    received.push(report)
    if (report.kind === 'ready') link.phase = 'serving'
  }
  const closed = (): void => undefined
  const link = createLink<Order, Report>({ stream, outgoing: orders, incoming: reports, receive, closed })
  return { child, stream, link, received, exit }
}
const configure = (backend: string): Order => ({
  kind: 'configure',
  config: { ...defaults(), backend },
  hostKeys: [],
  instance: ownerLabel(),
  worker: 7,
})

test('a configured worker reports the owner label of its process', async () => {
  const { child, link, received, exit } = startWorker()
  link.send(configure('docker'))
  const ready = await until('ready', () => received.find((report) => report.kind === 'ready'))
  assert.equal(ready?.kind === 'ready' && ready.owner, ownerLabel(child.pid))
  child.kill('SIGKILL')
  await exit
})

test('a worker survives the signals that a terminal or systemd sends to the whole group', async () => {
  const { child, link, received, exit } = startWorker()
  link.send(configure('docker'))
  await until('ready', () => received.some((report) => report.kind === 'ready'))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) child.kill(signal)
  link.send({ kind: 'drain', deadlineMs: 100 })
  link.phase = 'draining'
  assert.deepEqual(await exit, [0, null])
  assert.equal(received.at(-1)?.kind, 'drained')
})

test('a worker whose primary is gone ends by itself, before and after it was configured', async () => {
  const early = startWorker()
  await once(early.child, 'spawn')
  early.child.disconnect()
  early.link.close()
  // Node itself may notice first, and then has an exit status of its own.
  await early.exit
  const late = startWorker()
  late.link.send(configure('docker'))
  await until('ready', () => late.received.some((report) => report.kind === 'ready'))
  late.child.disconnect()
  assert.deepEqual((await late.exit)[0], 0)
})

test('a worker that cannot open its room says why and exits with 1', async () => {
  for (const [backend, pattern] of [
    ['broken', /on fire/],
    ['unheard-of', /no backend unheard-of/],
  ] as const) {
    const { link, received, exit } = startWorker()
    link.send(configure(backend))
    assert.deepEqual(await exit, [1, null])
    const failed = await until('failed', () => received.find((report) => report.kind === 'failed'))
    assert.match(failed?.kind === 'failed' ? failed.record.message : '', pattern)
  }
})

test('a worker that gets garbage for orders ends', async () => {
  const { stream, exit } = startWorker()
  stream.write(Buffer.from('ffffffffff', 'hex'))
  assert.deepEqual((await exit)[0], 0)
})
