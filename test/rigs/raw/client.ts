/**
 * An SSH client at the level of packets over real TCP: it can send anything at any moment, in the right keys or the
 * wrong ones. Nothing happens by itself except that what arrives is decrypted.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { BlobReader } from '../../../src/workers/ssh/blob.ts'
import {
  createCipher,
  createDecipher,
  type PacketCipher,
  type PacketDecipher,
  plainCipher,
  plainDecipher,
} from '../../../src/workers/ssh/ssh2.ts'
import { ClientExchange, type Secrets } from './exchange.ts'
import { kexInit, type Lists, strictMarker } from './kexinit.ts'

export interface Disconnect {
  readonly reason: number
  readonly text: string
}
/** Changes a packet (length, padding length, payload, padding) before it is encrypted and authenticated. */
export type Tamper = (packet: Buffer) => void

const identification = 'SSH-2.0-raw'

export class RawClient {
  readonly socket: Socket
  /** Of SSH_MSG_DISCONNECT; undefined when the connection ends without one. */
  readonly ended: Promise<Disconnect | undefined>
  readonly closed: Promise<void>
  sessionId: Buffer | undefined
  serverLine = ''
  identification = identification
  /** What came and is no packet: the server's answer to those who do not speak SSH. */
  unreadable = ''
  #line: Buffer | undefined = Buffer.alloc(0)
  #cipher: PacketCipher = plainCipher((data) => this.write(data))
  #decipher: PacketDecipher = plainDecipher((payload) => this.#take(payload))
  #inbox: Buffer[] = []
  #readers: ((payload: Buffer) => void)[] = []
  #exchange = new ClientExchange()
  #clientInit: Buffer | undefined
  #serverInit: Buffer | undefined
  #secrets: Secrets | undefined
  #strict = false
  #end: (disconnect: Disconnect | undefined) => void = () => undefined

  constructor(socket: Socket) {
    this.socket = socket
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#end(undefined)
        resolve()
      })
    })
    // What the server does to the connection is seen in `closed`; a reset is one way.
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => this.#feed(chunk))
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = connect({ port, host, noDelay: true })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  /** Bytes as they are. */
  write(bytes: string | Uint8Array): void {
    if (this.socket.writable) this.socket.write(bytes)
  }

  identify(): void {
    this.write(`${this.identification}\r\n`)
  }

  /** One packet in the keys of the moment. */
  send(payload: Uint8Array, tamper?: Tamper): void {
    const packet = this.#cipher.allocPacket(payload.length)
    packet.set(payload, 5)
    tamper?.(packet)
    this.#cipher.encrypt(packet)
  }

  /** The packet as it would go out, sent by nobody: for those who cut it or turn its bits. */
  sealed(payload: Uint8Array): Buffer {
    const pieces: Buffer[] = []
    const write = this.write
    this.write = (data) => void pieces.push(Buffer.from(data as Uint8Array))
    this.send(payload)
    this.write = write
    return Buffer.concat(pieces)
  }

  /** Sends KEXINIT. */
  begin(lists: Lists = {}): void {
    this.#exchange = new ClientExchange()
    this.#clientInit = kexInit(lists)
    if (this.sessionId === undefined) this.#strict = (lists.kex ?? strictMarker).includes(strictMarker)
    this.send(this.#clientInit)
  }
  /** Sends KEX_ECDH_INIT. */
  publicValue(): void {
    this.send(this.#exchange.message)
  }
  /** Sends NEWKEYS and changes the keys. */
  newKeys(): void {
    const secrets = this.#secrets
    if (secrets === undefined) throw new Error('there are no new keys')
    this.send(Buffer.of(21))
    const { info, macInfo, iv, key, macKey } = secrets.out
    const seqno = this.#strict ? 0 : this.#cipher.outSeqno
    this.#cipher.free()
    this.#cipher = createCipher({
      info,
      macInfo,
      iv,
      key,
      macKey,
      seqno,
      call: (data) => this.write(Buffer.from(data)),
    })
    this.#secrets = undefined
  }
  /** A whole key exchange, the first one or another. */
  async exchange(lists: Lists = {}): Promise<void> {
    this.begin(lists)
    this.publicValue()
    await this.receive(21)
    this.newKeys()
  }

  /** The next message, or the next with this number; others before it are forgotten. Rejects when the connection ends. */
  async receive(number?: number): Promise<Buffer> {
    for (;;) {
      const payload = this.#inbox.shift() ?? (await this.#next())
      if (number === undefined || payload[0] === number) return payload
    }
  }
  #next(): Promise<Buffer> {
    return Promise.race([
      new Promise<Buffer>((resolve) => this.#readers.push(resolve)),
      this.ended.then((end): never => {
        throw new Error(`the server has ended the connection: ${end === undefined ? 'closed' : JSON.stringify(end)}`)
      }),
    ])
  }

  #feed(chunk: Buffer): void {
    let at = this.#line === undefined ? 0 : this.#feedLine(this.#line, chunk)
    try {
      while (at < chunk.length) at = this.#decipher.decrypt(chunk, at, chunk.length) ?? chunk.length
    } catch {
      this.unreadable += chunk.subarray(at).toString('latin1')
    }
  }
  #feedLine(line: Buffer, chunk: Buffer): number {
    const end = chunk.indexOf(10)
    this.#line = Buffer.concat([line, end < 0 ? chunk : chunk.subarray(0, end)])
    if (end < 0) return chunk.length
    this.serverLine = this.#line.toString('latin1').replace(/\r$/, '')
    this.#line = undefined
    return end + 1
  }

  /** False: the rest of the chunk is for another decipher. */
  #take(lent: Buffer): false | undefined {
    const payload = Buffer.from(lent)
    const type = payload[0]
    if (type === 1) this.#disconnected(payload)
    if (type === 20) this.#serverInit = payload
    if (type === 31) this.#finish(payload)
    const [reader] = this.#readers.splice(0, 1)
    if (reader === undefined) this.#inbox.push(payload)
    else reader(payload)
    if (type !== 21 || this.#secrets === undefined) return undefined
    const { info, macInfo, iv, key, macKey } = this.#secrets.in
    const seqno = this.#strict ? 0 : this.#decipher.inSeqno
    this.#decipher.free()
    this.#decipher = createDecipher({ info, macInfo, iv, key, macKey, seqno, call: (data) => this.#take(data) })
    return false
  }
  #finish(reply: Buffer): void {
    const [clientInit, serverInit] = [this.#clientInit, this.#serverInit]
    if (clientInit === undefined || serverInit === undefined) throw new Error('a reply to nothing')
    const transcript = { client: this.identification, server: this.serverLine, clientInit, serverInit }
    this.#secrets = this.#exchange.finish(reply, transcript, this.sessionId)
    this.sessionId ??= this.#secrets.exchangeHash
  }
  #disconnected(payload: Buffer): void {
    const reader = new BlobReader(payload.subarray(1))
    const reason = reader.uint32('reason')
    this.#end({ reason, text: Buffer.from(reader.string('text')).toString() })
  }
}
