import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fault } from '../../../src/shared/codes/fault.ts'
import type { Arrive, Door, Listening, Session, Verdict } from '../../../src/workers/ports.ts'
import { Writer } from '../../../src/workers/ssh/bytes.ts'
import { message } from '../../../src/workers/ssh/numbers.ts'
import { refusal, type Script, serve, settle } from './double.ts'
import { farEnd } from './stream-double.ts'

async function loggedIn(script: Script = {}): Promise<ReturnType<typeof serve>> {
  const served = serve(script)
  await served.client.login()
  return served
}
const tcp = (host: string, port: number): Buffer => new Writer(0).string(host).uint32(port).finish().subarray(1)
const unix = (path: string): Buffer => new Writer(0).string(path).finish().subarray(1)

/** A session that listens wherever it is asked to; port 0 becomes 40000, 40001, … */
function doors() {
  const opened: Door[] = []
  const closed: number[] = []
  const arrive: Arrive[] = []
  const listening = (door: Door): Listening => ({
    port: door.kind === 'tcp' ? door.port || 40_000 + opened.length : 0,
    env: new Map(),
    [Symbol.asyncDispose]: async () => void closed.push(opened.indexOf(door)),
  })
  const listen: Session['listen'] = async (door, tell) => {
    const made = listening(door)
    opened.push(door)
    arrive.push(tell)
    return { accepted: true, value: made }
  }
  return { opened, closed, arrive, listen, listening }
}

describe('global requests', () => {
  test('are answered in order: keepalives silently, the rest with a line', async () => {
    const { client } = await loggedIn()
    const before = client.codes.length
    client.global('keepalive@openssh.com')
    assert.deepEqual(await client.heard(), ['request failure'])
    assert.equal(client.codes.length, before)
    client.global('nobody@example.org', true, Buffer.from('x'))
    client.global('no-more-sessions@openssh.com', true)
    client.global('no-more-sessions@openssh.com', true, Buffer.from('x'))
    client.global('tcpip-forward', true, Buffer.from('bad'))
    client.global('tcpip-forward', true, tcp('', 65_536))
    client.global('cancel-streamlocal-forward@openssh.com', false, Buffer.from('bad'))
    assert.deepEqual(await client.heard(), [
      'request failure',
      'request success',
      'request failure',
      'request failure',
      'request failure',
    ])
    assert.deepEqual(client.codes.slice(before), [
      'SSH_UNSUPPORTED_GLOBAL_REQUEST',
      'SSH_GLOBAL_REQUEST',
      'SSH_GLOBAL_REQUEST_SUCCESSFUL',
      'SSH_DECODE_FAILED',
      'SSH_DECODE_FAILED',
      'SSH_DECODE_FAILED',
      'SSH_DECODE_FAILED',
    ])
  })

  test('are answered while the session is being made', async () => {
    const { client } = await loggedIn({ enter: () => new Promise(() => undefined) })
    client.global('keepalive@openssh.com')
    assert.deepEqual(await client.heard(), ['request failure'])
  })

  test('without a readable type are logged and not fatal', async () => {
    const { client, wire } = await loggedIn()
    client.send(Buffer.of(message.globalRequest, 0, 0, 0, 9))
    assert.deepEqual(await client.heard(), [])
    assert.ok(client.codes.includes('SSH_DECODE_FAILED'))
    assert.equal(wire.ended, undefined)
  })

  test('PING is answered with its data', async () => {
    const { client } = serve()
    client.send(new Writer(message.ping).string('hello').finish())
    assert.deepEqual(await client.heard(), ['pong hello'])
  })
})

describe('a request to listen', () => {
  test('is answered with the port when the client left it open, and only then', async () => {
    const room = doors()
    const { client } = await loggedIn(room)
    client.global('tcpip-forward', true, tcp('localhost', 0))
    client.global('tcpip-forward', true, tcp('localhost', 8080))
    client.global('streamlocal-forward@openssh.com', true, unix('/run/x'))
    client.global('tcpip-forward', false, tcp('localhost', 8081))
    assert.deepEqual(await client.heard(), [
      `request success ${(40_000).toString(16).padStart(8, '0')}`,
      'request success',
      'request success',
    ])
    assert.deepEqual(room.opened, [
      { kind: 'tcp', host: 'localhost', port: 0 },
      { kind: 'tcp', host: 'localhost', port: 8080 },
      { kind: 'unix', path: '/run/x' },
      { kind: 'tcp', host: 'localhost', port: 8081 },
    ])
    assert.equal(client.codes.filter((code) => code === 'SSH_GLOBAL_REQUEST_SUCCESSFUL').length, 4)
  })

  test('waits for the one before, and so does the answer to what needs no work', async () => {
    const room = doors()
    const gates: PromiseWithResolvers<void>[] = []
    const { client } = await loggedIn({
      listen: async (door, arrive, signal) => {
        const gate = Promise.withResolvers<void>()
        gates.push(gate)
        await gate.promise
        return room.listen(door, arrive, signal)
      },
    })
    client.global('tcpip-forward', true, tcp('', 1))
    client.global('tcpip-forward', true, tcp('', 0))
    client.global('keepalive@openssh.com')
    assert.deepEqual(await client.heard(), [])
    assert.equal(gates.length, 1)
    gates[0]?.resolve()
    assert.deepEqual(await client.heard(), ['request success'])
    gates[1]?.resolve()
    assert.deepEqual(await client.heard(), ['request success 00009c41', 'request failure'])
    client.global('keepalive@openssh.com')
    assert.deepEqual(await client.heard(), ['request failure'])
  })

  test('of one connection does not wait for that of another', async () => {
    const stuck = await loggedIn({ listen: () => new Promise(() => undefined) })
    const quick = await loggedIn(doors())
    stuck.client.global('tcpip-forward', true, tcp('', 1))
    quick.client.global('tcpip-forward', true, tcp('', 1))
    assert.deepEqual(await quick.client.heard(), ['request success'])
    assert.deepEqual(await stuck.client.heard(), [])
  })

  test('waits for the session; when sixteen do, the client is not read any more', async () => {
    const gate = Promise.withResolvers<Verdict<Session>>()
    const room = doors()
    const { client, wire, session } = await loggedIn({ ...room, enter: () => gate.promise })
    for (let port = 1; port <= 15; port++) client.global('tcpip-forward', true, tcp('', port))
    assert.deepEqual(await client.heard(), [])
    assert.equal(wire.paused, false)
    client.global('tcpip-forward', true, tcp('', 16))
    assert.equal(wire.paused, true)
    gate.resolve({ accepted: true, value: session })
    assert.deepEqual(await client.heard(), Array<string>(16).fill('request success'))
    assert.equal(wire.paused, false)
    assert.equal(room.opened.length, 16)
  })

  test('fails with the session that the backend does not make', async () => {
    const gate = Promise.withResolvers<Verdict<Session>>()
    const { client, records } = await loggedIn({ enter: () => gate.promise })
    client.global('tcpip-forward', true, tcp('', 1))
    client.global('keepalive@openssh.com')
    gate.resolve({ accepted: false, fault: fault('SSH_NOT_IMPLEMENTED', { what: 'login' }) })
    assert.deepEqual(await client.heard(), ['request failure', 'request failure'])
    const line = records.find((record) => record.code === 'SSH_GLOBAL_REQUEST_FAILED')
    assert.equal(line?.labels['reason'], 'SSH_NOT_IMPLEMENTED')
  })

  test('for a place that the client has already is refused; another spelling is the matter of the room', async () => {
    const room = doors()
    const { client, records } = await loggedIn(room)
    client.global('tcpip-forward', true, tcp('localhost', 8080))
    client.global('tcpip-forward', true, tcp('localhost', 8080))
    client.global('streamlocal-forward@openssh.com', true, unix('localhost:8080'))
    client.global('streamlocal-forward@openssh.com', true, unix('localhost:8080'))
    client.global('tcpip-forward', true, tcp('127.0.0.1', 8080))
    assert.deepEqual(await client.heard(), [
      'request success',
      'request failure',
      'request success',
      'request failure',
      'request success',
    ])
    const why = records.find((record) => record.code === 'SSH_FORWARD_LISTEN_FAILED')
    assert.equal(why?.labels['door'], 'localhost:8080')
    assert.equal(why?.labels['reason'], 'it is listened at already')
  })

  test('beyond limits.forwards is refused until one is given back', async () => {
    const { client, records } = await loggedIn({ ...doors(), limits: { forwards: 2 } })
    for (const port of [1, 2, 3]) client.global('tcpip-forward', true, tcp('', port))
    assert.deepEqual(await client.heard(), ['request success', 'request success', 'request failure'])
    assert.match(
      records.find((record) => record.code === 'SSH_FORWARD_LISTEN_FAILED')?.message ?? '',
      /^Cannot listen at :3: the limit is 2/,
    )
    client.global('cancel-tcpip-forward', true, tcp('', 1))
    client.global('tcpip-forward', true, tcp('', 3))
    assert.deepEqual(await client.heard(), ['request success', 'request success'])
  })

  test('at any port is refused when the client does not want to know which', async () => {
    const room = doors()
    const { client } = await loggedIn(room)
    client.global('tcpip-forward', false, tcp('', 0))
    assert.deepEqual(await client.heard(), [])
    assert.equal(room.opened.length, 0)
    assert.ok(client.codes.includes('SSH_GLOBAL_REQUEST_FAILED'))
  })

  test('that the session refuses, or fails at, is a failure with the reason in the log', async () => {
    let calls = 0
    const { client, records } = await loggedIn({
      listen: async () => {
        if (calls++ > 0) throw new Error('a bug')
        return refusal('not allowed')
      },
    })
    client.global('tcpip-forward', true, tcp('', 1))
    client.global('tcpip-forward', true, tcp('', 1))
    assert.deepEqual(await client.heard(), ['request failure', 'request failure'])
    const lines = records.filter((record) => record.code === 'SSH_GLOBAL_REQUEST_FAILED')
    assert.match(lines[0]?.message ?? '', /not allowed/)
    assert.match(lines[1]?.message ?? '', /a bug/)
  })

  test('that takes too long fails, and what still comes of it is disposed', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const room = doors()
    const gate = Promise.withResolvers<void>()
    const { client } = await loggedIn({
      listen: async (door, arrive, signal) => {
        await gate.promise
        return room.listen(door, arrive, signal)
      },
    })
    client.global('tcpip-forward', true, tcp('', 1))
    await settle()
    context.mock.timers.tick(30_000)
    assert.deepEqual(await client.heard(), ['request failure'])
    gate.resolve()
    await settle()
    assert.deepEqual(room.closed, [0])
    const { stream } = farEnd()
    room.arrive[0]?.({ kind: 'agent' }, stream, { address: '', port: 0 })
    assert.equal(stream.destroyed, true)
  })

  test('that is being carried out when the connection ends leaves nothing behind', async () => {
    const room = doors()
    const gate = Promise.withResolvers<void>()
    const { client, wire, disposed, told } = await loggedIn({
      listen: async (door, arrive, signal) => {
        await gate.promise
        return room.listen(door, arrive, signal)
      },
    })
    client.global('tcpip-forward', true, tcp('', 1))
    client.global('tcpip-forward', true, tcp('', 2))
    await settle()
    wire.destroy()
    await settle()
    assert.deepEqual(disposed, ['session', 'connection'])
    assert.equal(told.at(-1), 'closed 7')
    assert.ok(client.codes.includes('SSH_REPLY_SEND_FAILED'))
    gate.resolve()
    await settle()
    assert.deepEqual(room.closed, [0])
    assert.equal(room.opened.length, 1, 'the second was never begun')
  })
})

describe('a request to listen no more', () => {
  test('ends the listening, with the port that was chosen, and the place can be had again', async () => {
    const room = doors()
    const { client } = await loggedIn(room)
    client.global('tcpip-forward', true, tcp('localhost', 0))
    client.global('streamlocal-forward@openssh.com', true, unix('/run/x'))
    client.global('cancel-tcpip-forward', true, tcp('localhost', 40_000))
    client.global('cancel-streamlocal-forward@openssh.com', true, unix('/run/x'))
    client.global('streamlocal-forward@openssh.com', true, unix('/run/x'))
    assert.deepEqual(await client.heard(), [
      'request success 00009c40',
      'request success',
      'request success',
      'request success',
      'request success',
    ])
    assert.deepEqual(room.closed, [0, 1])
  })

  test('fails for a place that is not listened at', async () => {
    const room = doors()
    const { client, records } = await loggedIn(room)
    client.global('tcpip-forward', true, tcp('localhost', 0))
    client.global('cancel-tcpip-forward', true, tcp('localhost', 0))
    client.global('cancel-tcpip-forward', true, tcp('', 40_000))
    client.global('cancel-streamlocal-forward@openssh.com', true, unix('/run/x'))
    assert.deepEqual(await client.heard(), [
      'request success 00009c40',
      'request failure',
      'request failure',
      'request failure',
    ])
    assert.deepEqual(room.closed, [])
    assert.equal(
      records.find((record) => record.code === 'SSH_FORWARD_LISTEN_FAILED')?.labels['reason'],
      'nobody listens there',
    )
  })

  test('fails when the room cannot do it, and the connection lives on', async () => {
    const room = doors()
    const { client, wire } = await loggedIn({
      listen: async (door) => ({
        accepted: true,
        value: {
          ...room.listening(door),
          [Symbol.asyncDispose]: async () => Promise.reject(new Error('the engine is down')),
        },
      }),
    })
    client.global('tcpip-forward', true, tcp('', 1))
    client.global('cancel-tcpip-forward', true, tcp('', 1))
    assert.deepEqual(await client.heard(), ['request success', 'request failure'])
    assert.equal(wire.ended, undefined)
  })

  test('is implied by the end of the connection', async () => {
    const room = doors()
    const { client, wire, told } = await loggedIn(room)
    client.global('tcpip-forward', true, tcp('', 1))
    client.global('tcpip-forward', true, tcp('', 2))
    await settle()
    wire.destroy()
    await settle()
    assert.deepEqual(room.closed, [0, 1])
    assert.equal(told.at(-1), 'closed 7')
  })

  test('is implied by the end of the server, which does not wait for listeners', async () => {
    const room = doors()
    const { client, wire, intake } = await loggedIn(room)
    client.global('tcpip-forward', true, tcp('', 1))
    await settle()
    const done = intake.drain(new AbortController().signal)
    assert.equal(wire.ended?.reason, 11)
    wire.destroy()
    await done
    assert.deepEqual(room.closed, [0])
  })
})
