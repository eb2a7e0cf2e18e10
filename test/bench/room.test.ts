import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openBenchRoom } from '../../bench/room.ts'
import { createLog } from '../../src/shared/log.ts'
import type { Program, Running, Sink, Source, Stdio } from '../../src/workers/ports.ts'

const log = createLog({ level: 'emerg', write: () => undefined })
const never = new AbortController().signal

/** A sink that asks for a pause after each write, and counts. */
function slowSink(): Sink & { bytes: number; ended: boolean; release(): void } {
  let listener: (() => void) | undefined
  return {
    bytes: 0,
    ended: false,
    write(bytes) {
      this.bytes += bytes.length
      return false
    },
    onDrain(given) {
      listener = given
    },
    end() {
      this.ended = true
    },
    release: () => listener?.(),
  }
}

async function run(command: string | undefined, stdio: Stdio): Promise<Running> {
  const room = await openBenchRoom()
  const sandbox = await room.open({} as Parameters<typeof room.open>[0], never)
  const what: Program['what'] = command === undefined ? { kind: 'shell' } : { kind: 'exec', command }
  return sandbox.run({ what, env: new Map(), pty: undefined, log }, stdio, never)
}
const empty: Source = { into: (sink) => sink.end() }

describe('the room of the bench', () => {
  test('a source writes no more than its sink takes, and then exactly what was asked for', async () => {
    const stdout = slowSink()
    const running = await run('source 100000', { stdin: empty, stdout, stderr: slowSink() })
    await new Promise(setImmediate)
    assert.equal(stdout.bytes, 32768)
    for (let i = 0; i < 4; i++) stdout.release()
    assert.deepEqual(await running.exit, { kind: 'status', code: 0 })
    assert.equal(stdout.bytes, 100000)
    assert.ok(stdout.ended)
  })
  test('an echo passes the pause of its way back on to its source', async () => {
    const stdout = slowSink()
    let taken: boolean | undefined
    const stdin: Source = {
      into: (sink) => {
        taken = sink.write(Buffer.from('x'))
        sink.end()
      },
    }
    const running = await run(undefined, { stdin, stdout, stderr: slowSink() })
    assert.deepEqual(await running.exit, { kind: 'status', code: 0 })
    assert.equal(taken, false)
    assert.equal(stdout.bytes, 1)
  })
  test('an unknown command ends with status 127', async () => {
    const running = await run('rm -rf /', { stdin: empty, stdout: slowSink(), stderr: slowSink() })
    assert.deepEqual(await running.exit, { kind: 'status', code: 127 })
  })
  test('a source that nobody reads ends when it is disposed', async () => {
    const running = await run('source 1e12', { stdin: empty, stdout: slowSink(), stderr: slowSink() })
    await running[Symbol.asyncDispose]()
    assert.equal((await running.exit).kind, 'status')
  })
})
