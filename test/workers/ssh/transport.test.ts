import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { connectClient, direction, establish, looseOffer, serviceRequest, startRig } from './transport-rig.ts'

test('a client learns the signature algorithms before it asks for a service', async () => {
  const client = await connectClient((await startRig()).port, {
    offer: { kex: ['curve25519-sha256'], serverHostKey: ['ssh-ed25519'], ...direction('aes128-gcm@openssh.com', []) },
  })
  await client.exchanged()
  const payload = await client.receive()
  assert.deepEqual([...payload.subarray(0, 5)], [7, 0, 0, 0, 2])
  const extInfo = payload.toString('latin1')
  assert.match(extInfo, /server-sig-algs....ssh-ed25519,sk-ssh-ed25519@openssh\.com,.*ping@openssh\.com....0$/s)
  assert.doesNotMatch(extInfo, /ssh-rsa|ssh-dss/)
})

test('a message above the transport layer arrives undecoded, and what is sent comes back', async () => {
  const { client, served } = await establish(await startRig({ onMessage: (wire, payload) => wire.send(payload) }))
  for (const type of [50, 80, 127, 192]) {
    client.send(Buffer.concat([Buffer.of(type), Buffer.from('hello')]))
    assert.equal((await client.receive()).toString('latin1'), `${String.fromCharCode(type)}hello`)
  }
  assert.equal(served.messages.length, 4)
  assert.equal((await served.ready).sessionId.length, 32)
  assert.equal((await served.ready).clientVersion, 'SSH-2.0-test')
  client.socket.destroy()
})

test('a message number that nobody knows is answered with UNIMPLEMENTED and its sequence number', async () => {
  const { client } = await establish(await startRig())
  // After the service request, which strict key exchange numbered 0.
  for (const [index, type] of [8, 14, 128, 193, 255].entries()) {
    client.send(Buffer.of(type))
    assert.deepEqual([...(await client.receive())], [3, 0, 0, 0, index + 1])
  }
  client.socket.destroy()
})

test('IGNORE, DEBUG, UNIMPLEMENTED and EXT_INFO are read and dropped', async () => {
  const { client, served } = await establish(await startRig({ onMessage: (wire) => wire.send(Buffer.of(52)) }))
  for (let count = 0; count < 1000; count++) {
    for (const type of [2, 3, 4, 7]) client.send(Buffer.of(type, 0, 0, 0, 0))
  }
  client.send(Buffer.of(50))
  assert.deepEqual([...(await client.receive())], [52])
  assert.equal(served.messages.length, 1)
  client.socket.destroy()
})

const violations: readonly (readonly [name: string, bytes: readonly Uint8Array[], text: RegExp, reason: number])[] = [
  ['an authentication request before the service', [Buffer.of(50)], /message 50 before a service/, 2],
  [
    'an unknown service',
    [Buffer.concat([Buffer.of(5, 0, 0, 0, 3), Buffer.from('foo')])],
    /service "foo" is not available/,
    7,
  ],
  ['a service request twice', [serviceRequest, serviceRequest], /not available/, 7],
  ['a truncated service request', [Buffer.of(5, 0, 0)], /malformed SERVICE_REQUEST/, 2],
  ['a public value without a KEXINIT', [Buffer.of(30, 0, 0, 0, 0)], /unexpected message 30 before KEXINIT/, 3],
  ['NEWKEYS without an exchange', [Buffer.of(21)], /unexpected message 21/, 3],
  [
    'a malformed KEXINIT',
    [Buffer.concat([Buffer.of(20), randomBytes(16), Buffer.of(255, 255, 255, 255)])],
    /malformed KEXINIT/,
    3,
  ],
  [
    'a message of a service inside of a re-keying',
    [serviceRequest, kexInit(), Buffer.of(50)],
    /message 50 during a key exchange/,
    2,
  ],
  ['a second KEXINIT inside of a re-keying', [kexInit(), kexInit()], /unexpected message 20/, 3],
  ['a public value of wrong length', [kexInit(), Buffer.of(30, 0, 0, 0, 1, 9)], /32 bytes, not 1/, 3],
  [
    'a public value of small order',
    [kexInit(), Buffer.concat([Buffer.of(30, 0, 0, 0, 32), Buffer.alloc(32)])],
    /public value for curve25519-sha256 is not usable/,
    3,
  ],
  [
    'a public value with bytes behind it',
    [kexInit(), Buffer.concat([Buffer.of(30, 0, 0, 0, 32), Buffer.alloc(33, 9)])],
    /malformed key exchange message/,
    3,
  ],
  [
    'no common method in a re-keying',
    [kexInit('foo')],
    /no common key exchange method; client offers foo; server offers/,
    3,
  ],
]
for (const [name, payloads, text, reason] of violations) {
  test(`${name} ends the connection with a reason for both sides`, async () => {
    const server = await startRig()
    const client = await connectClient(server.port)
    const served = await server.next()
    await client.exchanged()
    for (const payload of payloads) client.force(payload)
    const error = await served.closed
    assert.match(String(error), text)
    assert.equal(served.wire.alive, false)
    const told = await client.disconnected
    assert.equal(told.reason, reason)
    assert.match(told.text, text)
  })
}

test('strict key exchange ends a connection that sends anything but the exchange in the first one', async () => {
  const server = await startRig()
  const client = await connectClient(server.port)
  const served = await server.next()
  client.force(Buffer.of(2, 0, 0, 0, 0))
  assert.match(String(await served.closed), /strict KEX|first packet/)
})

test('without strict key exchange a few idle messages may come first, but not a flood', async () => {
  const server = await startRig()
  const loose = { offer: looseOffer('aes128-gcm@openssh.com') }
  const few = await connectClient(server.port, loose)
  few.force(Buffer.of(2, 0, 0, 0, 0))
  await few.exchanged()
  few.socket.destroy()
  await server.next()
  const flood = await connectClient(server.port, loose)
  for (let count = 0; count < 100; count++) flood.force(Buffer.of(2, 0, 0, 0, 0))
  const served = await server.next()
  assert.match(String(await served.closed), /too many idle messages/)
})

test('messages of the client go on arriving until it answers our KEXINIT, ours wait, and all arrive in order', async () => {
  const server = await startRig({ limits: { rekeyBytes: 20_000 }, onMessage: (wire, payload) => wire.send(payload) })
  const { client, served } = await establish(server)
  const hash = { sent: createHash('sha256'), received: createHash('sha256') }
  const count = 300
  const received = (async () => {
    for (let index = 0; index < count; index++) hash.received.update(await client.receive())
  })()
  for (let index = 0; index < count; index++) {
    const payload = Buffer.concat([Buffer.of(94), randomBytes(1000)])
    hash.sent.update(payload)
    client.send(payload)
    if (index % 10 === 0) await new Promise(setImmediate)
  }
  await received
  assert.equal(hash.received.digest('hex'), hash.sent.digest('hex'))
  let exchanges = 0
  const more = async (): Promise<void> => {
    await client.exchanged()
    exchanges++
    return more()
  }
  void more()
  await new Promise(setImmediate)
  assert.ok(exchanges >= 3, `${exchanges} re-keyings`)
  assert.equal(served.wire.queuedBytes, 0)
  client.socket.destroy()
})

test('a client that never completes a re-keying is cut, and what waited for it is counted', async () => {
  const server = await startRig({ limits: { rekeyBytes: 1000, rekeyDeadlineMs: 150 } })
  const { client, served } = await establish(server)
  client.socket.pause()
  served.wire.send(Buffer.alloc(2000, 94))
  served.wire.send(Buffer.alloc(300_000, 94))
  assert.ok(served.wire.queuedBytes >= 300_000)
  assert.equal(served.wire.congested, true)
  assert.match(String(await served.closed), /did not complete a key exchange within 150 ms/)
  assert.equal(served.wire.queuedBytes, 0)
  client.socket.destroy()
})

test('re-keying starts after the configured time', async () => {
  const server = await startRig({ limits: { rekeyMs: 0 }, onMessage: (wire, payload) => wire.send(payload) })
  const { client } = await establish(server)
  client.send(Buffer.of(94))
  await client.receive()
  await client.exchanged()
  client.socket.destroy()
})

test('a client that does not read makes the wire congested, bounded, and drained again when it reads', async () => {
  let drains = 0
  const server = await startRig({ onDrain: () => drains++ })
  const { client, served } = await establish(server)
  client.socket.pause()
  let sent = 0
  const turns = async (): Promise<void> => {
    // The kernel takes some MiB before it refuses.
    for (let turn = 0; turn < 2000 && !served.wire.congested; turn++) {
      for (let index = 0; index < 4 && !served.wire.congested; index++, sent++)
        served.wire.send(Buffer.alloc(32_000, 94))
      await new Promise(setImmediate)
    }
  }
  await turns()
  assert.equal(served.wire.congested, true)
  assert.ok(served.wire.queuedBytes < 512 * 1024, `${served.wire.queuedBytes}`)
  client.socket.resume()
  for (let index = 0; index < sent; index++) await client.receive()
  assert.equal(served.wire.congested, false)
  assert.equal(drains, 1)
  assert.equal(served.wire.queuedBytes, 0)
  client.socket.destroy()
})

test('replies that nobody reads stop the reading instead of piling up', async () => {
  const server = await startRig({ onMessage: (wire, payload) => wire.send(payload) })
  const { client, served } = await establish(server)
  client.socket.pause()
  const ping = Buffer.alloc(32_000, 192)
  for (let index = 0; index < 1000; index++) client.send(ping)
  let before = -1
  while (before !== served.messages.length) {
    before = served.messages.length
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  assert.ok(before < 1000, `${before} messages were read`)
  assert.ok(served.wire.queuedBytes < 2 * 1024 * 1024, `${served.wire.queuedBytes}`)
  client.socket.resume()
  for (let index = 0; index < 1000; index++) assert.equal((await client.receive()).length, 32_000)
  client.socket.destroy()
})

test('pause stops reading, also from inside of a message, and resume goes on', async () => {
  const server = await startRig({ onMessage: (wire, payload) => payload.length === 1 && wire.pause() })
  const { client, served } = await establish(server)
  client.send(Buffer.of(94))
  for (let index = 0; index < 400; index++) client.send(Buffer.alloc(32_000, 94))
  await new Promise((resolve) => setTimeout(resolve, 200))
  // What was in the read buffer with the first message may follow it.
  assert.ok(served.messages.length < 10, `${served.messages.length}`)
  served.wire.resume()
  while (served.messages.length < 401) await new Promise((resolve) => setTimeout(resolve, 10))
  client.socket.destroy()
})

test('disconnect sends reason and description, writes what came before, and ends without an error', async () => {
  const { client, served } = await establish(await startRig())
  served.wire.send(Buffer.from('Zlast words'))
  served.wire.disconnect(11, 'good bye')
  assert.equal(served.wire.alive, false)
  served.wire.send(Buffer.from('Zdropped'))
  assert.equal((await client.receive()).toString(), 'Zlast words')
  assert.deepEqual(await client.disconnected, { reason: 11, text: 'good bye' })
  assert.equal(await served.closed, undefined)
  await client.closed
})

test('a disconnect is not kept waiting by a client that does not read', async () => {
  const server = await startRig({ limits: { disconnectMs: 100 } })
  const { client, served } = await establish(server)
  client.socket.pause()
  while (!served.wire.congested) {
    served.wire.send(Buffer.alloc(32_000, 94))
    await new Promise(setImmediate)
  }
  served.wire.disconnect(11, 'good bye')
  assert.equal(await served.closed, undefined)
  assert.equal(served.wire.queuedBytes, 0)
  client.socket.destroy()
})

test('a client that disconnects because it is done ends orderly, one with another reason does not', async () => {
  const server = await startRig()
  for (const [reason, error] of [
    [11, undefined],
    [2, /reason 2: "bye"/],
  ] as const) {
    const { client, served } = await establish(server)
    client.send(Buffer.concat([Buffer.of(1, 0, 0, 0, reason, 0, 0, 0, 3), Buffer.from('bye'), Buffer.alloc(4)]))
    const closed = await served.closed
    if (error === undefined) assert.equal(closed, undefined)
    else assert.match(String(closed), error)
    client.socket.destroy()
  }
})

test('a client that goes away between packets ends orderly, inside of a packet with an error', async () => {
  const server = await startRig()
  const whole = await establish(server)
  whole.client.socket.end()
  assert.equal(await whole.served.closed, undefined)
  const cut = await establish(server)
  const write = cut.client.socket.write.bind(cut.client.socket)
  cut.client.socket.write = (data: unknown) => write((data as Buffer).subarray(0, 30))
  cut.client.send(Buffer.alloc(1000, 94))
  cut.client.socket.end()
  assert.match(String(await cut.served.closed), /inside of a packet/)
})

test('destroy ends at once, with its error, exactly once', async () => {
  const { client, served } = await establish(await startRig())
  const error = new Error('enough')
  served.wire.destroy(error)
  served.wire.destroy(new Error('second'))
  served.wire.disconnect(2, 'too late')
  assert.equal(await served.closed, error)
  await client.closed
})

test('what the layer above throws ends its own connection only', async () => {
  const server = await startRig({
    onMessage: () => {
      throw new TypeError('bug')
    },
  })
  const { client, served } = await establish(server)
  const other = await establish(server)
  client.send(Buffer.of(94))
  assert.match(String(await served.closed), /could not be handled: bug/)
  assert.equal(other.served.wire.alive, true)
  other.client.socket.destroy()
})

test('a packet of 256 KiB is taken, a longer one is refused', async () => {
  const { client, served } = await establish(await startRig({ onMessage: (wire) => wire.send(Buffer.of(52)) }))
  client.send(Buffer.alloc(262_000, 94))
  assert.deepEqual([...(await client.receive())], [52])
  assert.equal(served.messages[0]?.length, 262_000)
  client.send(Buffer.alloc(263_000, 94))
  assert.match(String(await served.closed), /bad length/)
})

test('a forged packet ends the connection with a MAC error', async () => {
  const { client, served } = await establish(await startRig())
  client.socket.write(Buffer.concat([Buffer.of(0, 0, 0, 32), Buffer.alloc(48, 1)]))
  assert.match(String(await served.closed), /bad (MAC|length)/)
})

function kexInit(kex = 'curve25519-sha256'): Buffer {
  const lists = [
    kex,
    'ssh-ed25519',
    ...Array(2).fill('aes128-gcm@openssh.com'),
    ...Array(2).fill('hmac-sha2-256'),
    'none',
    'none',
    '',
    '',
  ]
  const strings = lists.map((list) => {
    const out = Buffer.alloc(4 + list.length)
    out.writeUInt32BE(list.length)
    out.write(list, 4)
    return out
  })
  return Buffer.concat([Buffer.of(20), Buffer.alloc(16), ...strings, Buffer.alloc(5)])
}
