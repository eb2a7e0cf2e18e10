import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fault } from '../../../src/shared/codes/fault.ts'
import type { Channel, Session, Verdict } from '../../../src/workers/ports.ts'
import { Writer } from '../../../src/workers/ssh/bytes.ts'
import { channelOpen } from '../../../src/workers/ssh/messages.ts'
import { message } from '../../../src/workers/ssh/numbers.ts'
import { arrivalOf } from '../../rigs/arrival.ts'
import { ok, Program, type Script, serve, settle } from './double.ts'

const opened = (sender: number, id: number): string => `opened ${sender} as ${id} window 65536 packet 32768`
async function loggedIn(script: Script = {}): Promise<ReturnType<typeof serve>> {
  const served = serve(script)
  await served.client.login()
  return served
}
const open = (type: string, data: Uint8Array = Buffer.alloc(0), sender = 0): Buffer =>
  channelOpen({ type, sender, windowBytes: 1 << 20, maximumPacket: 32_768, data: Buffer.from(data) })

describe('channel opens', () => {
  test('wait for the session and are answered afterwards, in their order; the 17th stops the reading', async () => {
    const gate = Promise.withResolvers<Verdict<Session>>()
    const { client, wire, session } = await loggedIn({ enter: () => gate.promise })
    for (let i = 0; i < 15; i++) client.openSession(1, 1, i)
    assert.deepEqual(await client.heard(), [])
    assert.equal(wire.paused, false)
    client.openSession(1, 1, 15)
    assert.equal(wire.paused, true)
    gate.resolve({ accepted: true, value: session })
    assert.deepEqual(
      await client.heard(),
      Array.from({ length: 16 }, (_, i) => opened(i, i)),
    )
    assert.equal(wire.paused, false)
    assert.ok(client.codes.includes('SSH_HANDSHAKE_SUCCESSFUL'))
    assert.ok(client.codes.includes('SSH_NEW_CHANNEL'))
  })

  test('of an unknown type are refused with reason 3', async () => {
    const { client, records } = await loggedIn()
    client.send(open('x11', Buffer.from('whatever')))
    assert.deepEqual(await client.heard(), ['open failure 0 3 unsupported channel type'])
    const line = records.find((record) => record.code === 'SSH_UNSUPPORTED_CHANNEL_TYPE')
    assert.equal(line?.labels['type'], 'x11')
    assert.equal(line?.labels['username'], 'alice')
  })

  test('that are malformed, or have a packet size of 0, are refused; the connection lives on', async () => {
    const { client, wire } = await loggedIn()
    client.send(open('session', Buffer.from('extra'), 1))
    client.send(open('direct-tcpip', Buffer.from([0, 0]), 2))
    client.openSession(1000, 0, 3)
    const answers = await client.heard()
    assert.deepEqual(
      answers.map((answer) => answer.slice(0, 16)),
      ['open failure 1 2', 'open failure 2 2', 'open failure 3 2'],
    )
    assert.equal(wire.ended, undefined)
    assert.ok(client.codes.includes('SSH_DECODE_FAILED'))
  })

  test('without a channel number to answer to end the connection', async () => {
    const { client, wire } = await loggedIn()
    client.send(Buffer.concat([Buffer.of(message.channelOpen), new Writer(0).string('session').finish().subarray(1)]))
    await settle()
    assert.equal(wire.ended?.reason, 2)
  })

  test('that the session refuses carry what the user may know', async () => {
    const why = fault('SSH_NOT_IMPLEMENTED', { what: 'this' })
    const { client } = await loggedIn({ open: () => ({ accepted: false, fault: why }) })
    client.openSession()
    assert.deepEqual(await client.heard(), ['open failure 0 1 this is not supported'])
    assert.ok(client.codes.includes('SSH_NEW_CHANNEL_REJECTED'))
    const throwing = await loggedIn({ open: () => Promise.reject(new Error('secret detail')) })
    throwing.client.openSession()
    assert.deepEqual(await throwing.client.heard(), ['open failure 0 4 Internal Error'])
  })

  test('beyond 64 are refused, until the programs of closed channels are really gone', async () => {
    const gate = Promise.withResolvers<void>()
    const { client, records } = await loggedIn({
      open: () => {
        const channel: Channel = { ...new Program().port(), [Symbol.asyncDispose]: () => gate.promise }
        return { accepted: true, value: channel }
      },
    })
    for (let i = 0; i < 65; i++) client.openSession(1, 1, i)
    assert.ok((await client.heard()).includes('open failure 64 4 too many channels'))
    const line = records.find((record) => record.code === 'SSH_CHANNEL_LIMIT')
    assert.deepEqual([line?.level, line?.labels['limit']], ['info', 64])
    client.close(0)
    client.openSession()
    assert.deepEqual(await client.heard(), ['close 0', 'open failure 0 4 too many channels'])
    gate.resolve()
    await settle()
    client.openSession()
    assert.deepEqual(await client.heard(), [opened(0, 64)])
    assert.equal(client.codes.filter((code) => code === 'SSH_CHANNEL_LIMIT').length, 1)
  })

  test('have the limits of the configuration', async () => {
    const gate = Promise.withResolvers<Verdict<Session>>()
    const { client, wire, session } = await loggedIn({
      enter: () => gate.promise,
      limits: { channels: 2, opensWaiting: 3, requestsPerChannel: 2 },
    })
    for (let i = 0; i < 2; i++) client.openSession(1, 1, i)
    assert.equal(wire.paused, false)
    client.openSession(1, 1, 2)
    assert.equal(wire.paused, true)
    gate.resolve({ accepted: true, value: session })
    assert.deepEqual(await client.heard(), ['open failure 2 4 too many channels', opened(0, 0), opened(1, 1)])
    for (let i = 0; i < 3; i++) client.request({ kind: 'env', name: 'A', value: `${i}` })
    assert.equal(wire.paused, true)
    assert.deepEqual(await client.heard(), Array(3).fill('success 0'))
    assert.equal(wire.paused, false)
  })

  test('after no-more-sessions are refused, but not those that came before it', async () => {
    const gate = Promise.withResolvers<Verdict<Session>>()
    const { client, session } = await loggedIn({ enter: () => gate.promise })
    client.openSession(1, 1, 5)
    client.global('no-more-sessions@openssh.com')
    client.openSession(1, 1, 6)
    assert.deepEqual(await client.heard(), ['request success', 'open failure 6 1 no more sessions, as announced'])
    gate.resolve({ accepted: true, value: session })
    assert.deepEqual(await client.heard(), [opened(5, 0)])
  })

  test('that finish after the connection has ended are disposed again', async () => {
    const gate = Promise.withResolvers<Verdict<Channel>>()
    const program = new Program()
    const { client, wire, disposed, told } = await loggedIn({ open: () => gate.promise })
    client.openSession()
    await settle()
    wire.destroy()
    await settle()
    assert.deepEqual(disposed, [])
    gate.resolve({ accepted: true, value: program.port() })
    await settle()
    assert.equal(program.disposed, true)
    assert.deepEqual(disposed, ['session', 'connection'])
    assert.equal(told.at(-1), 'closed 7')
    assert.ok(client.codes.includes('SSH_REPLY_SEND_FAILED'))
  })
})

describe('messages of channels', () => {
  const wrong: readonly [string, (client: ReturnType<typeof serve>['client']) => void][] = [
    ['data beyond the window', (client) => client.send(dataOf(32_768))],
    ['a packet larger than announced', (client) => client.send(dataOf(32_769))],
    ['data for a channel that is not open', (client) => client.data('x', 7)],
    ['EOF for a channel that is not open', (client) => client.eof(7)],
    ['CLOSE for a channel that is not open', (client) => client.close(7)],
    ['a request for a channel that is not open', (client) => client.request({ kind: 'shell' }, true, 7)],
    ['data with a wrong length', (client) => client.send(Buffer.of(message.channelData, 0, 0, 0, 0, 0, 0, 0, 9, 1))],
    ['a window beyond 2^32-1', (client) => client.adjust(0xffff_ffff)],
    ['a truncated request', (client) => client.send(Buffer.of(message.channelRequest, 0, 0, 0, 0, 0))],
  ]
  function dataOf(length: number): Buffer {
    return new Writer(message.channelData, length + 16).uint32(0).string(Buffer.alloc(length)).finish()
  }
  for (const [what, send] of wrong) {
    test(`${what}: the connection ends with a protocol error`, async () => {
      const { client, wire, programs } = await loggedIn()
      await client.session()
      send(client)
      if (what === 'data beyond the window') {
        assert.equal(wire.ended, undefined)
        send(client)
        assert.equal(wire.ended, undefined)
        send(client)
      }
      await settle()
      assert.equal(wire.ended?.reason, 2)
      assert.ok(client.codes.includes('SSH_PROTOCOL_ERROR'))
      wire.destroy()
      await settle()
      assert.equal(programs[0]?.disposed, true)
    })
  }

  test('an adjust for a channel that is gone is harmless', async () => {
    const { client, wire } = await loggedIn()
    client.adjust(10, 3)
    await settle()
    assert.equal(wire.ended, undefined)
  })

  test('extended data from the client uses the window up like other data, and gives it back', async () => {
    const { client } = await loggedIn()
    await client.session()
    const extended = new Writer(message.channelExtendedData, 40_000).uint32(0).uint32(1).string(Buffer.alloc(32_768))
    client.send(extended.finish())
    const [adjust] = await client.heard()
    assert.match(adjust ?? '', /^adjust 0 \d+$/)
  })

  test('a program that fills the wire from its drain listener leaves turns of the event loop to others', async () => {
    const { client, programs, wire } = await loggedIn()
    await client.session(0xffff_ffff)
    await client.exec()
    const [program] = programs
    wire.highMark = 100_000
    let rounds = 0
    const pump = (): void => {
      rounds++
      while (program?.out.write(Buffer.alloc(10_000)) === true);
    }
    program?.out.onDrain(pump)
    pump()
    wire.flush()
    assert.equal(rounds, 1, 'not within the turn in which the wire drained')
    await settle()
    assert.equal(rounds, 2)
  })
})

describe('a user whom the backend turns away', () => {
  const why = fault('SSH_NOT_IMPLEMENTED', { what: 'login' })

  test('reads why at the first channel open, then the connection ends', async () => {
    const { client, wire, records } = await loggedIn({ enter: () => ({ accepted: false, fault: why }) })
    assert.equal(wire.ended, undefined)
    client.openSession(1, 1, 3)
    assert.deepEqual(await client.heard(), ['open failure 3 2 login is not supported'])
    assert.deepEqual(wire.ended, { reason: 11, description: 'login is not supported' })
    const line = records.find((record) => record.code === 'SSH_BACKEND_REJECTED_HANDSHAKE')
    assert.equal(line?.level, 'error')
    assert.equal(line?.labels['reason'], 'SSH_NOT_IMPLEMENTED')
    wire.destroy()
    await settle()
    assert.equal(client.codes.filter((code) => code === 'SSH_HANDSHAKE_FAILED').length, 1)
    assert.equal(client.codes.at(-1), 'SSH_DISCONNECTED')
  })

  test('also when the open came first, or never comes', async (context) => {
    const gate = Promise.withResolvers<Verdict<Session>>()
    const early = await loggedIn({ enter: () => gate.promise })
    early.client.openSession(1, 1, 3)
    gate.resolve({ accepted: false, fault: why })
    assert.deepEqual(await early.client.heard(), ['open failure 3 2 login is not supported'])
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const silent = await loggedIn({ enter: () => Promise.reject(new Error('a bug')) })
    context.mock.timers.tick(5000)
    assert.deepEqual(silent.wire.ended, { reason: 11, description: 'Internal Error' })
  })
})

describe('the end of a connection', () => {
  test('while the session is being made aborts that, and disposes what still comes out of it', async () => {
    const gate = Promise.withResolvers<Verdict<Session>>()
    let aborted = false
    const { wire, session, disposed, told } = await loggedIn({
      enter: (_member, signal) => {
        signal.addEventListener('abort', () => {
          aborted = true
        })
        return gate.promise
      },
    })
    wire.destroy()
    await settle()
    assert.equal(aborted, true)
    assert.deepEqual(disposed, [])
    gate.resolve({ accepted: true, value: session })
    await settle()
    assert.deepEqual(disposed, ['session', 'connection'])
    assert.deepEqual(told, ['authenticated 7', 'closed 7'])
  })

  test('before the login is a failed handshake', async () => {
    const { wire, client, told } = serve()
    wire.destroy(new Error('client spoke HTTP'))
    await settle()
    assert.deepEqual(client.codes, ['SSH_CONNECTED', 'SSH_HANDSHAKE_FAILED', 'SSH_DISCONNECTED'])
    assert.deepEqual(told, ['closed 7'])
  })
})

describe('a server that stops', () => {
  test('ends connections without programs at once, and takes no new ones', async () => {
    const { wire, intake, told } = serve()
    const done = intake.drain(new AbortController().signal)
    assert.deepEqual(wire.ended, { reason: 11, description: 'server is shutting down' })
    intake.serve({ close: () => told.push('handle closed') }, 8, arrivalOf({ address: '192.0.2.2', port: 1 }))
    assert.deepEqual(told, ['handle closed', 'closed 8'])
    wire.destroy()
    await done
    assert.equal(intake.size, 0)
  })

  test('sends TERM to programs, waits for them, and refuses new channels', async () => {
    const { client, wire, intake, programs } = await loggedIn()
    await client.session()
    await client.exec()
    const done = intake.drain(new AbortController().signal)
    client.openSession(1, 1, 1)
    assert.deepEqual(await client.heard(), ['open failure 1 4 server is shutting down'])
    const [program] = programs
    assert.deepEqual(program?.requests.at(-1), { kind: 'signal', name: 'TERM', ours: true })
    program?.out.end()
    program?.err.end()
    program?.end({ kind: 'signal', name: 'TERM', coreDumped: false, message: '' })
    assert.deepEqual(await client.heard(), ['eof 0', 'signal 0 TERM false  |', 'close 0'])
    client.close()
    await settle()
    assert.equal(wire.ended?.reason, 11)
    wire.destroy()
    await done
  })

  test('sends TERM also to a program that is just being started', async () => {
    const { client, intake, programs } = await loggedIn()
    await client.session()
    const [program] = programs
    const gate = Promise.withResolvers<Verdict>()
    if (program !== undefined) program.answer = (request) => (request.kind === 'exec' ? gate.promise : ok)
    await client.exec()
    void intake.drain(new AbortController().signal)
    gate.resolve(ok)
    await settle()
    assert.deepEqual(program?.requests.at(-1), { kind: 'signal', name: 'TERM', ours: true })
  })

  test('cuts at the abort what is left', async () => {
    const deadline = new AbortController()
    const { client, wire, intake, programs } = await loggedIn()
    await client.session()
    await client.exec()
    const done = intake.drain(deadline.signal)
    await settle()
    deadline.abort()
    assert.deepEqual(wire.ended, { reason: 11, description: 'server is shutting down' })
    wire.destroy()
    await done
    assert.equal(programs[0]?.disposed, true)
  })
})
