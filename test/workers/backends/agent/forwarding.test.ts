/** Our side of the guest agent's protocol against the guest helper, in its own dialect and in that of old agents. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { Fault } from '../../../../src/shared/codes/fault.ts'
import type { Arrive, Target } from '../../../../src/workers/place.ts'
import { until } from '../../../rigs/daemon.ts'
import { all, answering, converse, folder, freePort, reach, startService } from '../../../rigs/services.ts'
import { forwardingRig } from './rig.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const large = randomBytes(8 * 1024 * 1024)
const echo = answering((received) => received)
const origin = { address: '192.0.2.7', port: 4242 }
const never = new AbortController().signal
const tcp = (port: string | number): Target => ({ kind: 'tcp', host: '127.0.0.1', port: Number(port) })
const nobody: Arrive = (_door, stream) => void stream.destroy()
/** What arrives is answered as a client would that sends everything back. */
const echoing: Arrive = (_door, stream) => {
  buffer(stream).then(
    (bytes) => stream.end(bytes),
    () => undefined,
  )
}
async function say(stream: Duplex, what: string | Uint8Array): Promise<Buffer> {
  stream.end(what)
  return buffer(stream)
}
/** The first of what comes; only then our end, because old agents end both directions at once. */
async function hear(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  socket.end()
  return bytes.toString()
}
const refusal = (code: string, reason: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Fault && error.code === code, String(error))
  assert.match(String(error.labels['reason']), reason)
  return true
}

for (const dialect of [undefined, 'old'] as const) {
  describe(dialect === 'old' ? 'an old agent' : 'the guest helper', () => {
    test('dials ports and sockets with one process', async () => {
      await using rig = forwardingRig({ ...(dialect && { dialect }) })
      using sockets = folder()
      await using port = await startService(echo)
      await using socket = await startService(echo, sockets.path('there'))
      for (const target of [tcp(port.at), { kind: 'unix', path: String(socket.at) } as const]) {
        const stream = await rig.forwarding.dial(target, origin, never)
        // Old agents end both directions at once: the answer is waited for first.
        stream.write('hello')
        if (dialect === 'old') stream.end()
        else assert.equal((await say(stream, ' there')).toString(), 'hello there')
      }
      assert.equal(rig.helpers.length, 1)
    })

    test('carries 8 MiB each way at a time', async () => {
      await using rig = forwardingRig({ ...(dialect && { dialect }) })
      await using service = await startService((socket) => socket.pipe(socket))
      const stream = await rig.forwarding.dial(tcp(service.at), origin, never)
      const parts: Buffer[] = []
      let length = 0
      const whole = new Promise<void>((done) => {
        stream.on('data', (bytes: Buffer) => {
          parts.push(bytes)
          length += bytes.length
          if (length === large.length) done()
        })
      })
      stream.write(large)
      await whole
      stream.end()
      assert.equal(sha256(Buffer.concat(parts)), sha256(large))
    })

    test('is refused by a port at which nobody listens, and goes on to serve', async () => {
      await using rig = forwardingRig({ ...(dialect && { dialect }) })
      await using service = await startService((socket) => socket.end('welcome'))
      const reason = dialect === 'old' ? /cannot connect/ : /^connection refused$/
      const closed = tcp(await freePort())
      await assert.rejects(rig.forwarding.dial(closed, origin, never), refusal('SSH_FORWARD_CONNECT_FAILED', reason))
      assert.ok(rig.records.some(({ code }) => code === 'AGENTPROTO_REMOTE_ERROR'))
      const stream = await rig.forwarding.dial(tcp(service.at), origin, never)
      assert.equal((await buffer(stream)).toString(), 'welcome')
    })

    test('listens at a port that it chooses, and says who came', async () => {
      await using rig = forwardingRig({ ...(dialect && { dialect }) })
      const came = Promise.withResolvers<number>()
      const arrive: Arrive = (_door, stream, from) => {
        came.resolve(from.port)
        assert.equal(from.address, '127.0.0.1')
        stream.end('hello')
      }
      const door = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const
      const listening = await rig.forwarding.listen(door, arrive, never)
      const socket = await reach(listening.port)
      const { localPort } = socket
      assert.equal(await hear(socket), 'hello')
      assert.equal(await came.promise, localPort)
      await listening[Symbol.asyncDispose]()
      await rig.idle()
      await assert.rejects(reach(listening.port), /ECONNREFUSED/)
    })

    test('is refused a port that is taken', async () => {
      await using rig = forwardingRig({ ...(dialect && { dialect }) })
      await using service = await startService(echo)
      const door = { kind: 'tcp', host: '127.0.0.1', port: Number(service.at) } as const
      const reason = dialect === 'old' ? /no reason|ended with 1/ : /^address already in use$/
      await assert.rejects(rig.forwarding.listen(door, nobody, never), refusal('SSH_FORWARD_LISTEN_FAILED', reason))
      await rig.idle()
    })

    test('listens at a socket, which is gone when nobody listens any more', async () => {
      await using rig = forwardingRig({ ...(dialect && { dialect }) })
      using sockets = folder()
      const path = sockets.path('door')
      const arrive: Arrive = (_door, stream) => stream.end('hello')
      const listening = await rig.forwarding.listen({ kind: 'unix', path }, arrive, never)
      assert.equal(statSync(path).mode & 0o777, 0o600)
      assert.equal(await hear(await reach(path)), 'hello')
      await listening[Symbol.asyncDispose]()
      await rig.idle()
      assert.equal(existsSync(path), false)
    })

    test('gives programs the way to the agent of the client', async () => {
      await using rig = forwardingRig({ ...(dialect && { dialect }) })
      const listening = await rig.forwarding.listen({ kind: 'agent' }, (_d, stream) => stream.end('keys'), never)
      const path = listening.env.get('SSH_AUTH_SOCK') ?? ''
      assert.equal(await hear(await reach(path)), 'keys')
      await listening[Symbol.asyncDispose]()
      await rig.idle()
      assert.equal(existsSync(path), false)
    })

    test('connections live on when nobody listens any more, and the agent ends after the last', async () => {
      await using rig = forwardingRig({ ...(dialect && { dialect }) })
      const arrived = Promise.withResolvers<Duplex>()
      const door = { kind: 'tcp', host: 'localhost', port: 0 } as const
      const listening = await rig.forwarding.listen(door, (_d, stream) => arrived.resolve(stream), never)
      const socket = await reach(listening.port)
      const stream = await arrived.promise
      await listening[Symbol.asyncDispose]()
      stream.write('still')
      assert.equal(String((await once(socket, 'data'))[0]), 'still')
      assert.equal(rig.helpers.at(-1)?.exitCode, null)
      socket.end()
      stream.resume().end()
      await rig.idle()
      assert.equal(rig.helpers.at(-1)?.exitCode, 0)
    })

    test('a dial that nobody waits for any more leaves nothing behind', async () => {
      await using rig = forwardingRig({ ...(dialect && { dialect }) })
      await using service = await startService(echo)
      ;(await rig.forwarding.dial(tcp(service.at), origin, never)).destroy()
      const left = new AbortController()
      // TEST-NET-1: nobody answers.
      const dialling = rig.forwarding.dial({ kind: 'tcp', host: '192.0.2.1', port: 9 }, origin, left.signal)
      left.abort()
      await assert.rejects(dialling, refusal('SSH_FORWARD_CONNECT_FAILED', /./))
    })
  })
}

describe('the guest helper beyond old agents', () => {
  test('ends each direction on its own', async () => {
    await using rig = forwardingRig()
    await using counting = await startService(answering((received) => `got ${received.length}`))
    const stream = await rig.forwarding.dial(tcp(counting.at), origin, never)
    assert.equal((await say(stream, Buffer.alloc(1_000_000))).toString(), 'got 1000000')
    const last = Promise.withResolvers<string>()
    await using hasty = await startService((socket) => {
      socket.end('first')
      all(socket).then(
        (received) => last.resolve(received.toString()),
        () => undefined,
      )
    })
    const other = await rig.forwarding.dial(tcp(hasty.at), origin, never)
    assert.equal((await buffer(other)).toString(), 'first')
    other.end('last')
    assert.equal(await last.promise, 'last')
  })

  test('both directions of an arrived connection end on their own', async () => {
    await using rig = forwardingRig()
    const door = { kind: 'tcp', host: 'localhost', port: 0 } as const
    const listening = await rig.forwarding.listen(door, echoing, never)
    assert.equal(sha256(await converse(listening.port, large)), sha256(large))
  })

  test('a connection that nobody reads from stops neither the others nor grows', async () => {
    await using rig = forwardingRig()
    await using service = await startService((socket) => socket.pipe(socket))
    const stuck = await rig.forwarding.dial(tcp(service.at), origin, never)
    stuck.pause()
    const accepted = stuck.write(large)
    assert.equal(accepted, false)
    await until('it is full', () => stuck.readableLength >= 128 * 1024)
    await using fine = await startService(echo)
    const other = await rig.forwarding.dial(tcp(fine.at), origin, never)
    assert.equal(sha256(await say(other, large)), sha256(large))
    assert.ok(stuck.readableLength <= 128 * 1024)
    stuck.destroy()
  })

  test('carries two hundred connections at once with one process', async () => {
    await using rig = forwardingRig()
    await using service = await startService(echo)
    const streams = await Promise.all(
      Array.from({ length: 200 }, () => rig.forwarding.dial(tcp(service.at), origin, never)),
    )
    const answers = await Promise.all(streams.map((stream, i) => say(stream, `${i} `.repeat(10_000))))
    for (const [i, answer] of answers.entries()) assert.equal(answer.toString(), `${i} `.repeat(10_000))
    assert.equal(rig.helpers.length, 1)
  })

  test('is a display with the cookie where programs find it, without xauth', async () => {
    await using rig = forwardingRig({ env: { PATH: '' } })
    const x11 = { single: false, protocol: 'MIT-MAGIC-COOKIE-1', cookie: '00ff'.repeat(8), screen: 1 }
    const listening = await rig.forwarding.listen({ kind: 'x11', x11 }, (_d, stream) => stream.end('display'), never)
    const [, display = '', screen] = /^localhost:(\d+)\.(\d)$/.exec(listening.env.get('DISPLAY') ?? '') ?? []
    assert.equal(screen, '1')
    assert.equal(await hear(await reach(6000 + Number(display))), 'display')
    const authority = listening.env.get('XAUTHORITY') ?? ''
    const field = (bytes: Buffer): Buffer => Buffer.concat([Buffer.of(0, bytes.length), bytes])
    const fields = ['', display, x11.protocol].map((text) => field(Buffer.from(text)))
    const entry = Buffer.concat([Buffer.of(0xff, 0xff), ...fields, field(Buffer.from(x11.cookie, 'hex'))])
    assert.deepEqual(readFileSync(authority), entry)
    await listening[Symbol.asyncDispose]()
    await rig.idle()
    assert.equal(existsSync(authority), false)
  })

  test('takes the next display when the first is taken', async () => {
    await using rig = forwardingRig()
    const x11 = { single: false, protocol: 'MIT-MAGIC-COOKIE-1', cookie: '00', screen: 0 }
    const doors = await Promise.all([1, 2].map(() => rig.forwarding.listen({ kind: 'x11', x11 }, nobody, never)))
    const displays = doors.map(({ env }) => env.get('DISPLAY'))
    assert.notEqual(displays[0], displays[1])
  })
})

test('a helper that is killed breaks its connections, and the next dial starts another', async () => {
  await using rig = forwardingRig()
  await using service = await startService(echo)
  const stream = await rig.forwarding.dial(tcp(service.at), origin, never)
  const closed = new Promise((done) => stream.on('close', done))
  rig.helpers[0]?.kill('SIGKILL')
  await closed
  const again = await rig.forwarding.dial(tcp(service.at), origin, never)
  assert.equal((await say(again, 'again')).toString(), 'again')
  assert.equal(rig.helpers.length, 2)
})
