/** A server with nothing above its transport layer, and a client that sends any packet: ssh2's own Protocol. */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { after } from 'node:test'
import type { TcpHandle } from '../../../src/shared/ipc/handle.ts'
import { type HostKey, parseHostKey } from '../../../src/workers/ssh/host-key.ts'
import { createTransport, type TransportConfig, type WireLimits } from '../../../src/workers/ssh/transport.ts'
import type { Initiator, Negotiated, Wire } from '../../../src/workers/ssh/wire.ts'

export const algorithms = {
  serverVersion: 'SSH-2.0-ContainerSSH',
  kex: [
    'mlkem768x25519-sha256',
    'curve25519-sha256',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
  ].concat(['diffie-hellman-group14-sha256', 'diffie-hellman-group16-sha512']),
  ciphers: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'chacha20-poly1305@openssh.com'].concat([
    'aes128-ctr',
    'aes192-ctr',
    'aes256-ctr',
    'aes128-cbc',
  ]),
  macs: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'].concat([
    'hmac-sha1',
    'hmac-sha1-96',
  ]),
}

const pem = { type: 'pkcs8', format: 'pem' } as const
const ec = (namedCurve: string): HostKey =>
  parseHostKey(generateKeyPairSync('ec', { namedCurve }).privateKey.export(pem).toString())
export const hostKeys: readonly HostKey[] = [
  parseHostKey(generateKeyPairSync('ed25519').privateKey.export(pem).toString()),
  ec('P-256'),
  ec('P-384'),
  ec('P-521'),
  parseHostKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(pem).toString()),
]

/** One accepted connection. */
export interface Served {
  readonly wire: Wire
  readonly ready: Promise<Negotiated>
  /** Undefined after an orderly end. */
  readonly closed: Promise<Error | undefined>
  readonly messages: Buffer[]
  /** Who began each re-keying that is complete. */
  readonly rekeyings: Initiator[]
}
export interface Rig {
  readonly port: number
  /** In the order of arrival. */
  next(): Promise<Served>
  close(): Promise<void>
}
interface RigOptions {
  readonly ssh?: Partial<TransportConfig['ssh']>
  readonly limits?: Partial<WireLimits>
  onMessage?(wire: Wire, payload: Buffer): void
  onDrain?(wire: Wire): void
}

const open = new Set<Rig>()
// A test that fails does not reach its last line.
after(() => Promise.all([...open].map((rig) => rig.close())))

/** Serves raw handles, as a worker does. */
export const startRig = async (options: RigOptions = {}): Promise<Rig> => {
  const transport = createTransport({ ssh: { ...algorithms, ...options.ssh } }, hostKeys, options.limits)
  const arrived: Served[] = []
  const waiting: ((served: Served) => void)[] = []
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  takeHandles(server, (handle) => {
    const served = serve(transport.accept(handle), options)
    const waiter = waiting.shift()
    if (waiter) waiter(served)
    else arrived.push(served)
    wires.add(served.wire)
    void served.closed.then(() => wires.delete(served.wire))
  })
  const wires = new Set<Wire>()
  const rig: Rig = {
    port: (server.address() as AddressInfo).port,
    next: () => {
      const served = arrived.shift()
      return served ? Promise.resolve(served) : new Promise((resolve) => waiting.push(resolve))
    },
    close: async () => {
      if (!open.delete(rig)) return
      server.close()
      for (const wire of wires) wire.destroy()
      await once(server, 'close')
    },
  }
  open.add(rig)
  return rig
}

/** The raw handles of a listening server, before Node makes sockets of them. */
function takeHandles(server: Server, take: (handle: TcpHandle) => void): void {
  const { _handle } = server as unknown as { _handle: { onconnection: (status: number, handle: TcpHandle) => void } }
  _handle.onconnection = (_status, handle) => take(handle)
}

function serve(wire: Wire, options: RigOptions): Served {
  const ready = Promise.withResolvers<Negotiated>()
  const closed = Promise.withResolvers<Error | undefined>()
  const messages: Buffer[] = []
  const rekeyings: Initiator[] = []
  wire.start({
    ready: (negotiated) => {
      // There is no login here to wait for.
      wire.rekeying.allow()
      ready.resolve(negotiated)
    },
    rekeyed: (initiator) => rekeyings.push(initiator),
    message: (payload) => {
      messages.push(Buffer.from(payload))
      options.onMessage?.(wire, payload)
    },
    drain: () => options.onDrain?.(wire),
    closed: closed.resolve,
  })
  return { wire, ready: ready.promise, closed: closed.promise, messages, rekeyings }
}

/** What ssh2 1.17.0 offers a client at the packet level. */
interface ClientProtocol {
  start(): void
  parse(chunk: Buffer, start: number, length: number): void
  rekey(): void
  cleanup(): void
  _packetRW: { write: { allocStart: number; alloc(size: number): Buffer; finalize(packet: Buffer): Buffer } }
  _cipher: { encrypt(packet: Buffer): void; allocPacket(size: number): Buffer }
  _decipher: { _onPayload: (payload: Buffer) => unknown }
  _onPayload: (payload: Buffer) => unknown
}
const require = createRequire(import.meta.url)
type ProtocolClass = new (config: Record<string, unknown>) => ClientProtocol
const Protocol: ProtocolClass = require('ssh2/lib/protocol/Protocol.js')
const KexInit: new (lists: object) => object = require('ssh2/lib/protocol/kex.js').KexInit
const { sendPacket } = require('ssh2/lib/protocol/utils.js')

/** One cipher both ways, for an offer of ssh2. */
export const direction = (cipher: string, mac: readonly string[]): Record<string, unknown> => {
  const one = { cipher: [cipher], mac: mac.length > 0 ? mac : ['hmac-sha2-256'], compress: ['none'], lang: [] }
  return { cs: one, sc: one }
}

/** ssh2 adds the marker of strict key exchange unless it is given a ready KexInit. */
export const looseOffer = (cipher: string): unknown => {
  const kex = ['curve25519-sha256', 'ext-info-c']
  return new KexInit({ kex, serverHostKey: ['ssh-ed25519'], ...direction(cipher, []) })
}

export interface Client {
  readonly socket: Socket
  readonly protocol: ClientProtocol
  readonly errors: Error[]
  readonly closed: Promise<unknown>
  /** Of SSH_MSG_DISCONNECT. */
  readonly disconnected: Promise<{ reason: number; text: string }>
  /** Resolves after each completed key exchange. */
  exchanged(): Promise<void>
  /** Waits for its turn in a re-keying. */
  send(payload: Uint8Array): void
  /** Encrypts and sends at once, whatever the state. */
  force(payload: Uint8Array): void
  /** The next message numbered other than 1 and 20 to 49. */
  receive(): Promise<Buffer>
}

export const connectClient = async (port: number, offer: Record<string, unknown> = {}): Promise<Client> => {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const inbox: Buffer[] = []
  const readers: ((payload: Buffer) => void)[] = []
  const exchanges: (() => void)[] = []
  const errors: Error[] = []
  const disconnected = Promise.withResolvers<{ reason: number; text: string }>()
  let completed = 0
  const protocol = new Protocol({
    ident: 'test',
    ...offer,
    onWrite: (data: Buffer) => socket.writable && socket.write(data),
    onError: (error: Error) => errors.push(error),
    messageHandlers: {
      DISCONNECT: (_: unknown, reason: number, text: string) => disconnected.resolve({ reason, text }),
    },
    onHandshakeComplete: () => {
      const waiter = exchanges.shift()
      if (waiter) waiter()
      else completed++
    },
  })
  const original = protocol._onPayload
  protocol._onPayload = (payload) => {
    const type = payload[0] ?? 0
    if (type === 1 || (type >= 20 && type < 50)) return original(payload)
    const copy = Buffer.from(payload)
    const reader = readers.shift()
    if (reader) reader(copy)
    else inbox.push(copy)
    return undefined
  }
  socket.on('data', (chunk) => {
    try {
      protocol.parse(chunk, 0, chunk.length)
    } catch (error) {
      errors.push(error as Error)
      socket.destroy()
    }
  })
  socket.on('error', (error) => errors.push(error))
  const closed = once(socket, 'close')
  protocol.start()
  return {
    socket,
    protocol,
    errors,
    closed,
    disconnected: disconnected.promise,
    exchanged: () => {
      if (completed === 0) return new Promise((resolve) => exchanges.push(resolve))
      completed--
      return Promise.resolve()
    },
    send: (payload) => {
      const writer = protocol._packetRW.write
      const packet = writer.alloc(payload.length)
      packet.set(payload, writer.allocStart)
      sendPacket(protocol, writer.finalize(packet))
    },
    force: (payload) => {
      const packet = protocol._cipher.allocPacket(payload.length)
      packet.set(payload, 5)
      protocol._cipher.encrypt(packet)
    },
    receive: () => {
      const payload = inbox.shift()
      return payload ? Promise.resolve(payload) : new Promise((resolve) => readers.push(resolve))
    },
  }
}

const string = (text: string): Buffer => {
  const out = Buffer.alloc(4 + text.length, text)
  out.writeUInt32BE(text.length, 0)
  out.write(text, 4)
  return out
}
export const serviceRequest = Buffer.concat([Buffer.of(5), string('ssh-userauth')])

/** A client that is past the first key exchange and the service request. */
export const establish = async (
  rig: Rig,
  offer: Record<string, unknown> = {},
): Promise<{ client: Client; served: Served }> => {
  const client = await connectClient(rig.port, offer)
  const served = await rig.next()
  await client.exchanged()
  client.send(serviceRequest)
  for (;;) {
    const reply = await client.receive()
    if (reply[0] === 6) return { client, served }
  }
}
