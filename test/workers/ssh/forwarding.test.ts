/** Channels that the client opens towards a target: direct-tcpip and direct-streamlocal@openssh.com. */
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import { fault } from '../../../src/shared/codes/fault.ts'
import type { Origin, Session, Target, Verdict } from '../../../src/workers/ports.ts'
import { Writer } from '../../../src/workers/ssh/bytes.ts'
import { channelOpen } from '../../../src/workers/ssh/messages.ts'
import { serve, settle } from './double.ts'
import { type FarEnd, farEnd } from './stream-double.ts'

const opened = (sender: number, id: number): string => `opened ${sender} as ${id} window 65536 packet 32768`
const open = (type: string, data: Uint8Array, sender = 0, windowBytes = 1 << 20): Buffer =>
  channelOpen({ type, sender, windowBytes, maximumPacket: 32_768, data: Buffer.from(data) })
const tcp = (host: string, port: number, from = '127.0.0.1', fromPort = 4711): Buffer =>
  new Writer(0).string(host).uint32(port).string(from).uint32(fromPort).finish().subarray(1)
const unix = (path: string, from = ''): Buffer => new Writer(0).string(path).string(from).uint32(0).finish().subarray(1)
const direct = (data = tcp('db', 5432), sender?: number, windowBytes?: number): Buffer =>
  open('direct-tcpip', data, sender, windowBytes)

async function loggedIn(dial: Session['dial']): Promise<ReturnType<typeof serve>> {
  const served = serve({ dial })
  await served.client.login()
  return served
}
async function connected(windowBytes?: number): Promise<ReturnType<typeof serve> & { far: FarEnd }> {
  const far = farEnd()
  const served = await loggedIn(async () => ({ accepted: true, value: far.stream }))
  served.client.send(direct(tcp('db', 5432), 0, windowBytes))
  assert.deepEqual(await served.client.heard(), [opened(0, 0)])
  return { ...served, far }
}

describe('a direct channel', () => {
  test('is dialled by the session, which learns the target and where the client says it comes from', async () => {
    const asked: [Target, Origin][] = []
    const { client } = await loggedIn(async (target, origin) => {
      asked.push([target, origin])
      return { accepted: true, value: farEnd().stream }
    })
    client.send(direct(tcp('db', 5432, '2001:db8::1', 4711), 1))
    client.send(open('direct-streamlocal@openssh.com', unix('/run/db.sock'), 2))
    assert.deepEqual(await client.heard(), [opened(1, 0), opened(2, 1)])
    assert.deepEqual(asked, [
      [
        { kind: 'tcp', host: 'db', port: 5432 },
        { address: '2001:db8::1', port: 4711 },
      ],
      [
        { kind: 'unix', path: '/run/db.sock' },
        { address: '', port: 0 },
      ],
    ])
    assert.equal(client.codes.filter((code) => code === 'SSH_NEW_CHANNEL').length, 2)
  })

  test('of which the origin is not text is dialled all the same', async () => {
    const origins: Origin[] = []
    const { client } = await loggedIn(async (_target, origin) => {
      origins.push(origin)
      return { accepted: true, value: farEnd().stream }
    })
    const data = new Writer(0).string('db').uint32(1).string(Buffer.of(0xff)).uint32(0xffff_ffff).finish().subarray(1)
    client.send(direct(data))
    assert.deepEqual(await client.heard(), [opened(0, 0)])
    assert.deepEqual(origins, [{ address: '', port: 0xffff_ffff }])
  })

  const malformed: readonly (readonly [string, string, Buffer])[] = [
    ['a truncated payload', 'direct-tcpip', Buffer.of(0, 0)],
    ['bytes left over', 'direct-tcpip', Buffer.concat([tcp('db', 1), Buffer.of(0)])],
    ['a port above 65535', 'direct-tcpip', tcp('db', 65_536)],
    ['no host', 'direct-tcpip', tcp('', 80)],
    ['a host of 256 bytes', 'direct-tcpip', tcp('a'.repeat(256), 80)],
    ['a NUL in the host', 'direct-tcpip', tcp('db\0.example.org', 80)],
    ['no path', 'direct-streamlocal@openssh.com', unix('')],
    ['a path of 4097 bytes', 'direct-streamlocal@openssh.com', unix('a'.repeat(4097))],
  ]
  for (const [what, type, data] of malformed) {
    test(`with ${what} is refused, and the connection lives on`, async () => {
      let dialled = 0
      const { client, wire, records } = await loggedIn(async () => {
        dialled++
        return { accepted: true, value: farEnd().stream }
      })
      client.send(open(type, data, 3))
      assert.deepEqual(await client.heard(), ['open failure 3 2 malformed channel open'])
      assert.equal(dialled, 0)
      assert.equal(wire.ended, undefined)
      assert.ok(client.codes.includes('SSH_DECODE_FAILED'))
      const line = records.find((record) => record.code === 'SSH_NEW_CHANNEL_REJECTED')
      assert.equal(line?.level, 'warning')
      assert.equal(line?.labels['type'], type)
    })
  }

  test('that is refused carries the reason of RFC 4254 and what the user may know', async () => {
    const verdicts = [
      fault('SSH_NOT_IMPLEMENTED', { what: 'forwarding' }),
      fault('SSH_FORWARD_CONNECT_FAILED', { target: 'db:5432', reason: 'ECONNREFUSED' }),
    ]
    const { client } = await loggedIn(async () => {
      const [why] = verdicts.splice(0, 1)
      if (why === undefined) throw new Error('secret detail')
      return { accepted: false, fault: why }
    })
    for (let sender = 0; sender < 3; sender++) client.send(direct(undefined, sender))
    assert.deepEqual(await client.heard(), [
      'open failure 0 1 forwarding is not supported',
      'open failure 1 2 cannot connect to db:5432: ECONNREFUSED',
      'open failure 2 2 Internal Error',
    ])
  })

  test('that takes too long is refused, its dial is cancelled, and what still comes of it is destroyed', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const late = Promise.withResolvers<Verdict<Duplex>>()
    let cancelled = false
    const { client } = await loggedIn((_target, _origin, signal) => {
      signal.addEventListener('abort', () => {
        cancelled = true
      })
      return late.promise
    })
    client.send(direct())
    assert.deepEqual(await client.heard(), [])
    context.mock.timers.tick(30_000)
    assert.deepEqual(await client.heard(), ['open failure 0 2 cannot connect to db:5432: no answer in time'])
    assert.equal(cancelled, true)
    assert.ok(client.codes.includes('SSH_FORWARD_CONNECT_FAILED'))
    const { stream } = farEnd()
    late.resolve({ accepted: true, value: stream })
    await settle()
    assert.equal(stream.destroyed, true)
  })

  test('that is being dialled when the connection ends leaves nothing behind', async () => {
    const late = Promise.withResolvers<Verdict<Duplex>>()
    let cancelled = false
    const { client, wire, told } = await loggedIn((_target, _origin, signal) => {
      signal.addEventListener('abort', () => {
        cancelled = true
      })
      return late.promise
    })
    client.send(direct())
    await settle()
    wire.destroy()
    await settle()
    assert.equal(cancelled, true)
    assert.equal(told.at(-1), 'closed 7', 'not even a dial that hangs holds the connection up')
    const { stream } = farEnd()
    late.resolve({ accepted: true, value: stream })
    await settle()
    assert.equal(stream.destroyed, true)
    assert.ok(client.codes.includes('SSH_REPLY_SEND_FAILED'))
    assert.ok(!client.codes.includes('SSH_NEW_CHANNEL_REJECTED'))
  })

  test('answers requests with a failure', async () => {
    const { client } = await connected()
    client.request({ kind: 'shell' })
    client.request({ kind: 'shell' }, false)
    assert.deepEqual(await client.heard(), ['failure 0'])
  })
})

describe('the two directions of a stream', () => {
  test('end on their own, the client first', async () => {
    const { client, far } = await connected()
    client.data('query')
    client.eof()
    await settle()
    assert.equal(Buffer.concat(far.received).toString(), 'query')
    assert.equal(far.ended(), true)
    far.stream.push('answer')
    assert.deepEqual(await client.heard(), ['out 0 answer'])
    far.stream.push(null)
    assert.deepEqual(await client.heard(), ['eof 0', 'close 0'])
    assert.equal(far.stream.destroyed, true)
  })

  test('end on their own, the target first', async () => {
    const { client, far } = await connected()
    far.stream.push('hello')
    far.stream.push(null)
    assert.deepEqual(await client.heard(), ['out 0 hello', 'eof 0'])
    client.data('still sent')
    await settle()
    assert.equal(Buffer.concat(far.received).toString(), 'still sent')
    client.eof()
    assert.deepEqual(await client.heard(), ['close 0'])
  })

  test('are not cut short by the CLOSE that follows the last bytes', async () => {
    const { client, far, told, wire } = await connected()
    const gate = Promise.withResolvers<void>()
    far.hold = gate.promise
    far.stream.push(null)
    assert.deepEqual(await client.heard(), ['eof 0'])
    for (let i = 0; i < 40; i++) client.data(`${i},`.padEnd(1000, ' '))
    client.eof()
    client.close()
    assert.deepEqual(await client.heard(), ['close 0'])
    assert.equal(far.stream.destroyed, false)
    gate.resolve()
    for (let i = 0; i < 20; i++) await settle()
    const numbers = Buffer.concat(far.received).toString().match(/\d+/g)
    assert.deepEqual(
      numbers?.map(Number),
      Array.from({ length: 40 }, (_, i) => i),
    )
    assert.equal(far.ended(), true)
    assert.equal(far.stream.destroyed, true)
    wire.destroy()
    await settle()
    assert.equal(told.at(-1), 'closed 7')
  })

  test('are cut when the target does not take the last bytes in time, sooner when the connection is over', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const { client, far, told, wire } = await connected()
    far.hold = new Promise(() => undefined)
    client.data('never taken')
    client.close()
    await settle()
    assert.equal(far.stream.destroyed, false)
    wire.destroy()
    await settle()
    assert.notEqual(told.at(-1), 'closed 7')
    context.mock.timers.tick(2000)
    await settle()
    assert.equal(far.stream.destroyed, true)
    assert.equal(told.at(-1), 'closed 7')
  })

  test('both end with an error of the stream', async () => {
    const { client, far } = await connected()
    far.stream.destroy(new Error('ECONNRESET'))
    assert.deepEqual(await client.heard(), ['eof 0', 'close 0'])
    client.data('crossing')
    client.close()
    assert.deepEqual(await client.heard(), [])
  })

  test('both end with the server', async () => {
    const { client, far, intake, wire } = await connected()
    const done = intake.drain(new AbortController().signal)
    assert.deepEqual(await client.heard(), ['close 0'])
    assert.equal(far.stream.destroyed, true)
    client.close()
    await settle()
    assert.equal(wire.ended?.reason, 11)
    wire.destroy()
    await done
  })
})

describe('back-pressure', () => {
  test('the target is not read while the window of the client is closed', async () => {
    const { client, far } = await connected(10)
    far.stream.push(Buffer.alloc(10, 'a'))
    assert.deepEqual(await client.heard(), ['out 0 aaaaaaaaaa'])
    assert.equal(far.stream.isPaused(), true)
    far.stream.push(Buffer.alloc(500, 'b'))
    far.stream.push(null)
    assert.deepEqual(await client.heard(), [])
    client.adjust(5)
    assert.deepEqual(await client.heard(), ['out 0 bbbbb'])
    client.adjust(1000)
    assert.deepEqual(await client.heard(), [`out 0 ${'b'.repeat(495)}`, 'eof 0'])
  })

  test('the window of the client is not opened while the target does not take what it sent', async () => {
    const { client, far, wire } = await connected()
    const gate = Promise.withResolvers<void>()
    far.hold = gate.promise
    client.data(Buffer.alloc(32_768))
    client.data(Buffer.alloc(32_768))
    assert.deepEqual(await client.heard(), [])
    assert.ok(far.stream.writableLength <= 32_768, 'the second packet is kept, not written')
    gate.resolve()
    await settle()
    const [adjust] = await client.heard()
    assert.match(adjust ?? '', /^adjust 0 \d+$/)
    assert.equal(wire.ended, undefined)
  })
})
