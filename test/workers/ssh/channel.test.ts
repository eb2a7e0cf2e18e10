import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fault } from '../../../src/shared/codes/fault.ts'
import type { Verdict } from '../../../src/workers/ports.ts'
import { Collector, ok, type Program, refusal, serve, settle } from './double.ts'

/** A logged-in client with one session channel. */
async function begin(): Promise<ReturnType<typeof serve> & { program: Program }> {
  const served = serve()
  await served.client.login()
  await served.client.session()
  const [program] = served.programs
  if (program === undefined) throw new Error('no channel was opened')
  return { ...served, program }
}
const size = { columns: 80, rows: 24, widthPixels: 0, heightPixels: 0 }
const resize = (columns: number) => ({ kind: 'window-change' as const, size: { ...size, columns } })

describe('requests of a session channel', () => {
  test('reach the port in order, one after the other, each answered before the next is looked at', async () => {
    const { client, program } = await begin()
    const gate = Promise.withResolvers<Verdict>()
    program.answer = (request) => (request.kind === 'exec' ? gate.promise : ok)
    client.request({ kind: 'env', name: 'A', value: '1' })
    client.request({ kind: 'exec', command: 'x' })
    client.request({ kind: 'signal', name: 'INT' })
    client.request({ kind: 'unknown', type: 'nobody@example.org', payload: Buffer.of(1) }, false)
    assert.deepEqual(await client.heard(), ['success 0'])
    assert.deepEqual(
      program.requests.map((request) => request.kind),
      ['env', 'exec'],
    )
    gate.resolve(ok)
    assert.deepEqual(await client.heard(), ['success 0', 'success 0'])
    assert.deepEqual(
      program.requests.map((request) => request.kind),
      ['env', 'exec', 'signal', 'unknown'],
    )
  })

  test('of different channels run in parallel', async () => {
    const { client, programs, program } = await begin()
    await client.session(undefined, undefined, 9)
    program.answer = () => new Promise(() => undefined)
    client.request({ kind: 'shell' }, true, 0)
    client.request({ kind: 'shell' }, true, 1)
    assert.deepEqual(await client.heard(), ['success 9'])
    assert.equal(programs[1]?.requests.length, 1)
  })

  test('that are refused, or make the port throw, are answered with a failure and leave the reason in the log', async () => {
    const { client, program, records } = await begin()
    program.answer = (request) => {
      if (request.kind === 'shell') throw new Error('a bug')
      return { accepted: false, fault: fault('SSH_NOT_IMPLEMENTED', { what: 'sftp' }) }
    }
    client.request({ kind: 'subsystem', name: 'sftp' })
    client.request({ kind: 'shell' })
    client.request({ kind: 'exec', command: 'x' }, false)
    assert.deepEqual(await client.heard(), ['failure 0', 'failure 0'])
    const lines = records.filter((record) => record.code === 'SSH_CHANNEL_REQUEST_FAILED')
    assert.deepEqual(
      lines.map((line) => line.labels['reason']),
      ['SSH_NOT_IMPLEMENTED', 'UNKNOWN_ERROR', 'SSH_NOT_IMPLEMENTED'],
    )
    assert.equal(lines[0]?.labels['channelId'], 0)
    assert.equal(lines[0]?.labels['RequestType'], 'subsystem')
  })

  test('that are malformed fail with SSH_DECODE_FAILED, and the connection lives on', async () => {
    const { client, program, wire } = await begin()
    client.request({ kind: 'unknown', type: 'shell', payload: Buffer.from('payload') })
    client.request({ kind: 'unknown', type: 'env', payload: Buffer.from([0, 0, 0, 9]) })
    assert.deepEqual(await client.heard(), ['failure 0', 'failure 0'])
    assert.equal(client.codes.filter((code) => code === 'SSH_DECODE_FAILED').length, 2)
    assert.equal(program.requests.length, 0)
    assert.equal(wire.ended, undefined)
  })

  test('that nobody knows are answered without a line in the log', async () => {
    const { client, program } = await begin()
    program.answer = () => refusal('unknown')
    const before = client.codes.length
    client.request({ kind: 'unknown', type: 'nobody@example.org', payload: Buffer.alloc(0) })
    assert.deepEqual(await client.heard(), ['failure 0'])
    assert.equal(client.codes.length, before)
  })

  test('that pile up stop the reading, and only the last size of a dragged window counts', async () => {
    const { client, program, wire } = await begin()
    const gate = Promise.withResolvers<Verdict>()
    program.answer = (request) => (request.kind === 'exec' ? gate.promise : ok)
    client.request({ kind: 'exec', command: 'x' })
    for (let i = 0; i < 100; i++) client.request(resize(i), false)
    await settle()
    assert.equal(wire.paused, false)
    for (let i = 0; i < 32; i++) client.request({ kind: 'signal', name: 'INT' }, false)
    await settle()
    assert.equal(wire.paused, true)
    gate.resolve(ok)
    await settle()
    await settle()
    await settle()
    assert.equal(wire.paused, false)
    assert.deepEqual(program.requests[1], resize(99))
    assert.equal(program.requests.length, 34)
  })

  test('whose answer finds the client gone leave SSH_REPLY_SEND_FAILED', async () => {
    const { client, program, wire } = await begin()
    const gate = Promise.withResolvers<Verdict>()
    program.answer = () => gate.promise
    client.request({ kind: 'exec', command: 'slow' })
    await settle()
    wire.destroy()
    gate.resolve(ok)
    await settle()
    assert.ok(client.codes.includes('SSH_REPLY_SEND_FAILED'))
    assert.equal(program.disposed, true)
  })
})

describe('input of a session channel', () => {
  test('that arrives before the program runs is kept, EOF included', async () => {
    const { client, program } = await begin()
    const gate = Promise.withResolvers<Verdict>()
    program.answer = () => gate.promise
    client.request({ kind: 'exec', command: 'cat' })
    client.data('foo')
    client.data('bar')
    client.eof()
    await settle()
    const stdin = new Collector()
    program.stdio?.stdin.into(stdin)
    gate.resolve(ok)
    await settle()
    assert.equal(stdin.bytes.toString(), 'foobar')
    assert.equal(stdin.ended, 1)
  })

  test('ends stdin at EOF and nothing else', async () => {
    const { client, program } = await begin()
    await client.exec()
    const stdin = new Collector()
    program.stdio?.stdin.into(stdin)
    client.eof()
    await settle()
    assert.equal(stdin.ended, 1)
    program.out.write(Buffer.from('still here'))
    assert.deepEqual(await client.heard(), ['out 0 still here'])
  })

  test('after EOF is dropped', async () => {
    const { client, program, wire } = await begin()
    await client.exec()
    const stdin = new Collector()
    program.stdio?.stdin.into(stdin)
    client.eof()
    client.data('late')
    await settle()
    assert.equal(stdin.bytes.length, 0)
    assert.equal(wire.ended, undefined)
  })
})

describe('the end of a program', () => {
  test('is output, EOF, exit status, CLOSE, and nothing after that', async () => {
    const { client, program } = await begin()
    await client.exec()
    program.out.write(Buffer.from('out'))
    program.err.write(Buffer.from('err'))
    program.out.end()
    program.err.end()
    program.end({ kind: 'status', code: 42 })
    assert.deepEqual(await client.heard(), ['out 0 out', 'err 0 err', 'eof 0', 'status 0 42', 'close 0'])
    program.out.write(Buffer.from('late'))
    client.request({ kind: 'signal', name: 'INT' })
    client.close()
    assert.deepEqual(await client.heard(), [])
    assert.equal(program.disposed, true)
    assert.ok(client.codes.includes('SSH_EXIT'))
  })

  test('waits for the window when output is left', async () => {
    const { client, programs } = serve()
    await client.login()
    await client.session(4)
    await client.exec()
    const [program] = programs
    program?.out.write(Buffer.from('too much'))
    program?.out.end()
    program?.err.end()
    program?.end()
    assert.deepEqual(await client.heard(), ['out 0 too '])
    client.adjust(100)
    assert.deepEqual(await client.heard(), ['out 0 much', 'eof 0', 'status 0 0', 'close 0'])
  })

  test('by a signal is told with any name', async () => {
    const { client, program, records } = await begin()
    await client.exec()
    program.out.end()
    program.err.end()
    program.end({ kind: 'signal', name: 'RTMIN', coreDumped: true, message: 'boom' })
    assert.deepEqual(await client.heard(), ['eof 0', 'signal 0 RTMIN true boom |', 'close 0'])
    const line = records.find((record) => record.code === 'SSH_EXIT_SIGNAL')
    assert.equal(line?.labels['signal'], 'RTMIN')
    assert.equal(line?.labels['coreDumped'], true)
  })

  test('that never becomes known closes the channel without a status', async () => {
    const { client, program } = await begin()
    await client.exec()
    program.lose(new Error('the engine lost it'))
    assert.deepEqual(await client.heard(), ['eof 0', 'close 0'])
    assert.ok(client.codes.includes('SSH_EXIT_CODE_FAILED'))
    assert.ok(!client.codes.includes('SSH_EXIT'))
  })

  test('while the connection is just being ended cannot be reported, and is not said to have been', async () => {
    const { client, program, wire } = await begin()
    await client.exec()
    client.data('for nobody', 9)
    assert.equal(wire.ended?.reason, 2)
    program.out.end()
    program.err.end()
    program.end({ kind: 'status', code: 42 })
    await settle()
    assert.ok(client.codes.includes('SSH_EXIT_CODE_FAILED'))
    assert.ok(!client.codes.includes('SSH_EXIT'))
    wire.destroy()
    await settle()
    assert.equal(program.disposed, true)
  })
})

describe('the end of a channel by the client', () => {
  test('is answered with our CLOSE once, and ends the program', async () => {
    const { client, program, wire } = await begin()
    await client.exec()
    client.close()
    assert.deepEqual(await client.heard(), ['close 0'])
    assert.equal(program.disposed, true)
    program.end()
    assert.equal(program.out.write(Buffer.from('late')), false)
    assert.deepEqual(await client.heard(), [])
    assert.ok(!client.codes.includes('SSH_EXIT'))
    client.data('to nobody')
    await settle()
    assert.equal(wire.ended?.reason, 2)
  })

  test('by a lost connection ends every program, then the session, then the connection', async () => {
    const { client, programs, wire, disposed, told, intake } = await begin()
    await client.session(undefined, undefined, 1)
    await client.exec('x', 0)
    wire.destroy(new Error('reset by peer'))
    await settle()
    assert.deepEqual(
      programs.map((program) => program.disposed),
      [true, true],
    )
    assert.deepEqual(disposed, ['session', 'connection'])
    assert.deepEqual(told, ['authenticated 7', 'closed 7'])
    assert.equal(intake.size, 0)
    assert.equal(client.codes.at(-1), 'SSH_DISCONNECTED')
    assert.ok(!client.codes.includes('SSH_HANDSHAKE_FAILED'))
  })
})
