/** Hand-made sockets: other protocols, slow and cut connections, fragments of every size. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createTransport } from '../../../src/workers/ssh/transport.ts'
import { algorithms, connectClient, hostKeys, serviceRequest, startRig } from './transport-rig.ts'

const greetings: readonly (readonly [name: string, bytes: string | Buffer, error: RegExp])[] = [
  ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', /speaks HTTP, not SSH/],
  ['TLS', Buffer.of(0x16, 3, 1, 2, 0, 1), /speaks TLS, not SSH/],
  ['SSH 1', 'SSH-1.5-old\r\n', /another version of SSH: "SSH-1\.5-old"/],
  ['rubbish', Buffer.of(0, 1, 2, 3), /does not speak SSH/],
  ['an empty line first', '\r\nSSH-2.0-x\r\n', /does not speak SSH/],
  ['a line without end', `SSH-2.0-${'x'.repeat(300)}`, /longer than 255 bytes/],
  ['a line of 256 bytes', `SSH-2.0-${'x'.repeat(246)}\r\n`, /longer than 255 bytes/],
  ['a line with a NUL', 'SSH-2.0-a\0b\r\n', /not printable ASCII/],
  ['a line with a lone CR', 'SSH-2.0-a\rb\r\n', /not printable ASCII/],
  ['a line without software version', 'SSH-2.0-\r\n', /no software version/],
  ['a packet that claims 2 GiB', Buffer.from('SSH-2.0-x\r\n\x7f\xff\xff\xff\x05', 'latin1'), /bad length/],
  [
    'a packet above 35000 bytes before the key exchange',
    Buffer.from('SSH-2.0-x\r\n\x00\x00\x88\xbc\x05', 'latin1'),
    /bad length/,
  ],
  [
    'a packet that is all padding and more',
    Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), Buffer.of(0, 0, 0, 12, 255), Buffer.alloc(11)]),
    /bad padding length/,
  ],
  [
    'a first packet that is no KEXINIT',
    Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), Buffer.of(0, 0, 0, 12, 10, 50), Buffer.alloc(10)]),
    /message 50 before a service/,
  ],
]
for (const [name, bytes, error] of greetings) {
  test(`${name} ends the connection with an error that says so`, async () => {
    const rig = await startRig()
    const socket = connect(rig.port, '127.0.0.1')
    socket.write(bytes)
    const received: Buffer[] = []
    socket.on('data', (chunk) => received.push(chunk))
    const served = await rig.next()
    assert.match(String(await served.closed), error)
    assert.match(Buffer.concat(received).toString('latin1'), /^SSH-2\.0-ContainerSSH\r\n/)
    await rig.close()
  })
}

test('lines of 255 bytes, with LF only, and of SSH 1.99 are accepted', async () => {
  const rig = await startRig()
  for (const line of [`SSH-2.0-${'x'.repeat(245)}\r\n`, 'SSH-2.0-x y z\n', 'SSH-1.99-x\r\n']) {
    const socket = connect(rig.port, '127.0.0.1')
    const served = await rig.next()
    socket.end(line)
    assert.match(String(await served.closed), /before the key exchange was complete/)
  }
  await rig.close()
})

test('a connection that is reset during the handshake ends with an error', async () => {
  const rig = await startRig()
  const socket = connect(rig.port, '127.0.0.1')
  const served = await rig.next()
  await once(socket, 'data')
  socket.resetAndDestroy()
  assert.match(String(await served.closed), /ECONNRESET|before the key exchange/)
  await rig.close()
})

/** A proxy that cuts what the client sends into pieces of `sizes` bytes, in turn, each in a read of its own. */
async function fragmenter(port: number, sizes: readonly number[]): Promise<{ port: number; close(): void }> {
  const server = createServer((inner) => {
    const outer = connect({ port, host: '127.0.0.1', noDelay: true })
    outer.pipe(inner)
    outer.on('error', () => inner.destroy())
    inner.on('error', () => outer.destroy())
    void cut(inner, outer)
  })
  const cut = async (from: Socket, to: Socket): Promise<void> => {
    let turn = 0
    for await (const chunk of from) {
      for (let at = 0; at < chunk.length; ) {
        const size = sizes[turn++ % sizes.length] ?? 1
        to.write(chunk.subarray(at, at + size))
        at += size
        // Several turns, so that the server in this process has read the piece.
        for (let tick = 0; tick < 4; tick++) await new Promise(setImmediate)
      }
    }
    to.end()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

async function echoThrough(port: number, cipher: string, mac: string): Promise<void> {
  const one = { cipher: [cipher], mac: [mac], compress: ['none'], lang: [] }
  const offer = { kex: ['curve25519-sha256'], serverHostKey: ['ssh-ed25519'], cs: one, sc: one }
  const client = await connectClient(port, { offer })
  await client.exchanged()
  client.send(serviceRequest)
  for (let index = 1; index < 40; index++) client.send(Buffer.alloc(index * 3, 94))
  client.send(Buffer.concat([Buffer.of(94), Buffer.alloc(3000, cipher)]))
  for (let index = -1; index < 40; index++) {
    const payload = await client.receive()
    if (payload[0] === 7 || payload[0] === 6) continue
    const expected = index === 40 ? 3001 : index * 3
    assert.equal(payload.length, expected, `${cipher} ${index}`)
    assert.equal(payload[0], 94)
  }
  assert.deepEqual(await client.receive(), Buffer.concat([Buffer.of(94), Buffer.alloc(3000, cipher)]))
  client.socket.destroy()
}

for (const sizes of [[1], [2, 3], [5, 16, 1], [4, 33, 15, 7], [17, 20, 64, 3]]) {
  test(`pieces of ${sizes} bytes give the same messages with every cipher, though all reads share one buffer`, async () => {
    const rig = await startRig({ onMessage: (wire, payload) => wire.send(payload) })
    const proxy = await fragmenter(rig.port, sizes)
    const pairs = algorithms.ciphers.map((cipher) => echoThrough(proxy.port, cipher, 'hmac-sha2-256'))
    const etm = echoThrough(proxy.port, 'aes128-ctr', 'hmac-sha2-512-etm@openssh.com')
    await Promise.all([...pairs, etm])
    proxy.close()
    await rig.close()
  })
}

test('any other stream will do in place of a TCP handle', async () => {
  const [near, far] = duplexPair()
  const wire = createTransport({ ssh: algorithms }, hostKeys, { disconnectMs: 50 }).accept(far)
  const closed = Promise.withResolvers<Error | undefined>()
  const nothing = () => undefined
  wire.start({ ready: nothing, rekeyed: nothing, message: nothing, drain: nothing, closed: closed.resolve })
  const [first] = await once(near, 'data')
  assert.match(String(first), /^SSH-2\.0-ContainerSSH\r\n/)
  near.write('nonsense\r\n')
  assert.match(String(await closed.promise), /does not speak SSH/)
})

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

test('a thousand connections leave nothing behind', async () => {
  const rig = await startRig()
  const round = async (count: number): Promise<number> => {
    for (let done = 0; done < count; done += 50) {
      const clients = await Promise.all(Array.from({ length: 50 }, () => connectClient(rig.port)))
      await Promise.all(clients.map((client) => client.exchanged()))
      for (const client of clients) client.socket.destroy()
      await Promise.all(clients.map(async () => (await rig.next()).closed))
    }
    for (let turn = 0; turn < 3; turn++) {
      collect()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return process.memoryUsage().heapUsed + process.memoryUsage().external
  }
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const timersBefore = timers()
  const before = await round(300)
  const after = await round(700)
  assert.ok(after - before < 700 * 4096, `${after - before} bytes more after 700 connections`)
  assert.equal(timers(), timersBefore)
  await rig.close()
})
