/** Channels that the server opens towards the client. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Arrive, Door, Listening } from '../../../src/workers/ports.ts'
import { Writer } from '../../../src/workers/ssh/bytes.ts'
import { message } from '../../../src/workers/ssh/numbers.ts'
import { Program, type Script, serve, settle } from './double.ts'
import { type FarEnd, farEnd } from './stream-double.ts'

const from = { address: '192.0.2.7', port: 4711 }
const string = (text: string): string => Buffer.concat([Buffer.of(0, 0, 0, text.length), Buffer.from(text)]).toString()
const number = (value: number): string => new Writer(0).uint32(value).finish().toString('latin1', 1)
const opening = (type: string, id: number, data = ''): string =>
  `open ${type} ${id} window 65536 packet 32768${data === '' ? '' : ` ${JSON.stringify(data)}`}`

/** A client with one session channel, whose number 0 makes the arrivals begin with 1. */
async function begin(script: Script = {}) {
  let arrive: Arrive | undefined
  const served = serve({
    ...script,
    open: (_id, tell) => {
      arrive = tell
      return { accepted: true, value: new Program().port() }
    },
  })
  await served.client.login()
  await served.client.session()
  const arrives = (door: Door, far: FarEnd = farEnd()): FarEnd => {
    arrive?.(door, far.stream, from)
    return far
  }
  return { ...served, arrives }
}
const agent: Door = { kind: 'agent' }

describe('a connection that arrives', () => {
  test('at the X11 display or the agent becomes a channel of its type', async () => {
    const { client, arrives } = await begin()
    arrives({ kind: 'x11', x11: { single: false, protocol: 'MIT-MAGIC-COOKIE-1', cookie: '00', screen: 0 } })
    arrives(agent)
    assert.deepEqual(await client.heard(), [
      opening('x11', 1, string('192.0.2.7') + number(4711)),
      opening('auth-agent@openssh.com', 2),
    ])
  })

  test('at a forwarded port names the address as it was asked for and the port that was chosen', async () => {
    const tell: Arrive[] = []
    const { client } = await begin({
      listen: async (door, arrive) => {
        tell.push(arrive)
        const value: Listening = {
          port: door.kind === 'tcp' ? 40_000 : 0,
          env: new Map(),
          [Symbol.asyncDispose]: async () => undefined,
        }
        return { accepted: true, value }
      },
    })
    client.global('tcpip-forward', true, new Writer(0).string('localhost').uint32(0).finish().subarray(1))
    client.global('streamlocal-forward@openssh.com', true, new Writer(0).string('/run/x').finish().subarray(1))
    await client.heard()
    tell[0]?.({ kind: 'tcp', host: 'localhost', port: 0 }, farEnd().stream, from)
    tell[1]?.({ kind: 'unix', path: '/run/x' }, farEnd().stream, { address: '', port: 0 })
    assert.deepEqual(await client.heard(), [
      opening('forwarded-tcpip', 1, string('localhost') + number(40_000) + string('192.0.2.7') + number(4711)),
      opening('forwarded-streamlocal@openssh.com', 2, string('/run/x') + string('')),
    ])
  })

  test('before the client knows of the port waits for the answer; a seventeenth is not kept', async () => {
    const early = Array.from({ length: 17 }, () => farEnd())
    const gate = Promise.withResolvers<void>()
    const { client } = await begin({
      listen: async (door, arrive) => {
        for (const { stream } of early) arrive(door, stream, from)
        await gate.promise
        return {
          accepted: true,
          value: { port: 40_000, env: new Map(), [Symbol.asyncDispose]: async () => undefined },
        }
      },
    })
    client.global('tcpip-forward', true, new Writer(0).string('').uint32(0).finish().subarray(1))
    assert.deepEqual(await client.heard(), [])
    gate.resolve()
    const [answer, ...opens] = await client.heard()
    assert.equal(answer, 'request success 00009c40')
    assert.equal(opens.length, 16)
    assert.deepEqual(
      early.map(({ stream }) => stream.destroyed),
      [...Array<boolean>(16).fill(false), true],
    )
  })

  test('carries bytes both ways once the client agrees, each direction ending on its own', async () => {
    const { client, arrives } = await begin()
    const far = arrives(agent)
    far.stream.push('early ')
    await client.heard()
    client.agree(1, 77)
    assert.deepEqual(await client.heard(), ['out 77 early '])
    assert.ok(client.codes.includes('SSH_NEW_CHANNEL'))
    client.data('answer', 1)
    client.eof(1)
    await settle()
    assert.equal(Buffer.concat(far.received).toString(), 'answer')
    assert.equal(far.ended(), true)
    client.request({ kind: 'shell' }, true, 1)
    far.stream.push(null)
    assert.deepEqual(await client.heard(), ['failure 77', 'eof 77', 'close 77'])
    client.close(1)
    assert.deepEqual(await client.heard(), [])
  })

  test('keeps to the window and the packet size that the client agreed to', async () => {
    const { client, arrives } = await begin()
    const far = arrives(agent)
    far.stream.push('abcdefgh')
    client.agree(1, 5, 6, 4)
    assert.deepEqual(await client.heard().then((all) => all.slice(1)), ['out 5 abcd', 'out 5 ef'])
    client.adjust(2, 1)
    assert.deepEqual(await client.heard(), ['out 5 gh'])
  })

  test('is dropped when the client refuses it, with its words in the log', async () => {
    const { client, arrives, records, wire } = await begin()
    const far = arrives(agent)
    client.decline(1, 2, 'Connection refused')
    await settle()
    assert.equal(far.stream.destroyed, true)
    const line = records.find((record) => record.code === 'SSH_NEW_CHANNEL_REJECTED')
    assert.equal(line?.labels['type'], 'auth-agent@openssh.com')
    assert.equal(line?.labels['reason'], 'the client refused with reason 2: Connection refused')
    assert.equal(line?.labels['channelId'], 1)
    assert.equal(wire.ended, undefined)
  })

  test('is dropped when the client does not answer in time; an answer that comes still is no error', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const { client, arrives, wire } = await begin()
    const far = arrives(agent)
    await client.heard()
    context.mock.timers.tick(30_000)
    await settle()
    assert.equal(far.stream.destroyed, true)
    assert.ok(client.codes.includes('SSH_NEW_CHANNEL_REJECTED'))
    client.agree(1, 3)
    assert.deepEqual(await client.heard(), ['eof 3', 'close 3'])
    client.close(1)
    await settle()
    assert.equal(wire.ended, undefined)
  })

  test('and breaks while the client is asked gives a channel that ends at once', async () => {
    const { client, arrives } = await begin()
    const far = arrives(agent)
    await client.heard()
    far.stream.destroy(new Error('ECONNRESET'))
    await settle()
    client.agree(1, 3)
    assert.deepEqual(await client.heard(), ['eof 3', 'close 3'])
  })

  test('counts as a channel: beyond 64 it is dropped without asking', async () => {
    const { client, arrives } = await begin()
    for (let i = 0; i < 63; i++) arrives(agent)
    const dropped = arrives(agent)
    assert.equal((await client.heard()).length, 63)
    assert.equal(dropped.stream.destroyed, true)
    client.openSession(1, 1, 9)
    assert.deepEqual(await client.heard(), ['open failure 9 4 too many channels'])
    client.decline(1)
    client.openSession(1, 1, 9)
    assert.deepEqual(await client.heard(), ['opened 9 as 64 window 65536 packet 32768'])
  })

  test('is dropped when the connection ends, whether the client was asked already or not', async () => {
    const { arrives, wire, told } = await begin()
    const asked = arrives(agent)
    wire.destroy()
    const after = arrives(agent)
    await settle()
    assert.equal(asked.stream.destroyed, true)
    assert.equal(after.stream.destroyed, true)
    assert.equal(told.at(-1), 'closed 7')
  })

  test('is dropped when the server is stopping', async () => {
    const { client, arrives, intake } = await begin()
    await client.exec()
    const asked = arrives(agent)
    await client.heard()
    void intake.drain(new AbortController().signal)
    const late = arrives(agent)
    assert.equal(late.stream.destroyed, true)
    client.agree(1, 3)
    assert.deepEqual(await client.heard(), ['close 3'])
    assert.equal(asked.stream.destroyed, true)
  })

  for (const [what, send] of [
    ['agrees to a channel that was never opened', (client) => client.agree(9, 1)],
    ['refuses a channel that was never opened', (client) => client.decline(9)],
    ['agrees twice', (client) => [client.agree(1, 1), client.agree(1, 2)]],
    ['agrees with a packet size of 0', (client) => client.agree(1, 1, 1000, 0)],
    ['sends half an agreement', (client) => client.send(Buffer.of(message.channelOpenConfirmation, 0, 0, 0, 1))],
    ['sends half a refusal', (client) => client.send(Buffer.of(message.channelOpenFailure, 0, 0, 0, 1))],
  ] satisfies readonly (readonly [string, (client: ReturnType<typeof serve>['client']) => unknown])[]) {
    test(`a client that ${what} is disconnected`, async () => {
      const { client, arrives, wire } = await begin()
      arrives(agent)
      send(client)
      await settle()
      assert.equal(wire.ended?.reason, 2)
      assert.ok(client.codes.includes('SSH_PROTOCOL_ERROR'))
    })
  }

  test('is not needed for a wrong answer to be one', async () => {
    const { client, wire } = await begin()
    client.agree(1, 1)
    await settle()
    assert.equal(wire.ended?.reason, 2)
  })
})
