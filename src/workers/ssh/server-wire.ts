/** One connection of the transport layer: identification, messages 1 to 49, back-pressure, and how it ends. */
import type { Duplex } from 'node:stream'
import { KeyExchange } from './kex/key-exchange.ts'
import type { Agreement } from './kex/negotiate.ts'
import { Outbox } from './outbox.ts'
import { Packets } from './packets.ts'
import { disconnectReason, internalError, ProtocolError, packetError } from './protocol-error.ts'
import type { WireOptions } from './transport.ts'
import {
  disconnectMessage,
  readDisconnect,
  readServiceRequest,
  serviceAcceptMessage,
  transportMessage,
  unimplementedMessage,
} from './transport-messages.ts'
import { VersionLine } from './version.ts'
import type { Initiator, Wire, WireEvents } from './wire.ts'

/** RFC 4250 section 4.1.1; PING is OpenSSH's, and answered above. */
const isKexMessage = (type: number): boolean => type >= 20 && type <= 49
const isServiceMessage = (type: number): boolean => (type >= 50 && type <= 127) || type === 192
/** IGNORE and DEBUG before the first key exchange is complete; more are a flood. */
const idleMessagesMax = 16
/** Replies nobody reads may not pile up: above this multiple of the high mark we stop reading. */
const stopReadingFactor = 4
const invalidVersionReply = Buffer.from('Invalid SSH identification string.\r\n')

export class ServerWire implements Wire {
  readonly #socket: Duplex
  readonly #options: WireOptions
  readonly #outbox: Outbox
  readonly #packets: Packets
  readonly #kex: KeyExchange
  #events: WireEvents | undefined
  #version: VersionLine | undefined = new VersionLine()
  #ready = false
  #serviceAccepted = false
  #idleMessages = 0
  #lastKeys = performance.now()
  #initiator: Initiator = 'server'
  #congested = false
  #paused = false
  #readingStopped = false
  /** True while the layer above handles a message: what it throws is not the client's fault. */
  #above = false
  #alive = true
  #error: Error | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(socket: Duplex, options: WireOptions) {
    this.#socket = socket
    this.#options = options
    this.#outbox = new Outbox(socket, () => this.#onRoom())
    this.#packets = new Packets(this.#outbox, (payload) => this.#onPayload(payload))
    this.#kex = new KeyExchange(this.#packets, options.offer, options.serverVersion, options.extInfo)
    socket.on('error', (error) => this.destroy(error))
    socket.on('end', () => this.#onEnd())
    socket.on('close', () => this.#onClose())
  }

  start(events: WireEvents): void {
    this.#events = events
    this.#outbox.put(Buffer.from(`${this.#options.serverVersion}\r\n`))
    // Together with the identification: this saves a round trip and a write, and RFC 4253 section 7 allows it.
    this.#kex.begin()
    if (!this.#paused) this.#socket.resume()
  }

  get alive(): boolean {
    return this.#alive
  }

  get outgoing(): Buffer {
    return this.#packets.outgoing
  }

  get queuedBytes(): number {
    return this.#packets.queuedBytes
  }

  get congested(): boolean {
    return this.#congested
  }

  reserve(length: number): number {
    return this.#packets.reserve(length)
  }

  commit(): void {
    this.#packets.commit()
    if (this.#packets.queuedBytes > this.#options.limits.highBytes) this.#congested = true
    const { bytes, packets } = this.#packets.sent
    const { rekeyBytes, rekeyPackets } = this.#options.limits
    if (bytes >= rekeyBytes || packets >= rekeyPackets) this.#rekey()
  }

  send(payload: Uint8Array): void {
    const offset = this.reserve(payload.length)
    this.outgoing.set(payload, offset)
    this.commit()
  }

  pause(): void {
    this.#paused = true
    if (this.#alive) this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#alive && !this.#readingStopped && this.#events !== undefined) this.#socket.resume()
  }

  disconnect(reason: number, description: string): void {
    if (!this.#alive) return
    // Whoever has not sent an identification line does not speak SSH.
    if (this.#version === undefined) this.#packets.sendNow(disconnectMessage(reason, description))
    this.#finish()
  }

  destroy(error?: Error): void {
    if (this.#alive) this.#error ??= error
    this.#stop()
    this.#outbox.close()
    this.#socket.destroy()
  }

  /** Bytes from the socket; they are used up when this returns. */
  receive(chunk: Buffer): void {
    if (!this.#alive || this.#events === undefined) return
    try {
      const start = this.#version === undefined ? 0 : this.#readVersion(this.#version, chunk)
      if (start < chunk.length) this.#packets.feed(chunk, start)
    } catch (error) {
      this.#fail(error)
    }
    if (!this.#alive) return
    const { highBytes, rekeyBytes, rekeyPackets } = this.#options.limits
    if (this.queuedBytes > highBytes * stopReadingFactor && !this.#readingStopped) {
      this.#readingStopped = true
      this.#socket.pause()
    }
    const { bytes, packets } = this.#packets.received
    if (bytes >= rekeyBytes || packets >= rekeyPackets) this.#rekey()
  }

  #readVersion(version: VersionLine, chunk: Buffer): number {
    const found = version.take(chunk)
    if (found === undefined) return chunk.length
    this.#version = undefined
    this.#kex.clientVersion = found.line
    return found.used
  }

  #onPayload(payload: Buffer): void {
    const type = payload[0] ?? 0
    if (isServiceMessage(type)) {
      if (this.#kex.inbound) throw new ProtocolError(`message ${type} during a key exchange`)
      if (!this.#serviceAccepted) throw new ProtocolError(`message ${type} before a service was requested`)
      this.#above = true
      this.#events?.message(payload)
      this.#above = false
    } else if (isKexMessage(type)) {
      this.#onKexMessage(payload)
    } else {
      this.#onTransportMessage(type, payload)
    }
  }

  #onTransportMessage(type: number, payload: Buffer): void {
    switch (type) {
      case transportMessage.disconnect:
        this.#onDisconnect(payload)
        break
      case transportMessage.ignore:
      case transportMessage.unimplemented:
      case transportMessage.debug:
        this.#onIdle(type)
        break
      default:
        if (!this.#ready || this.#kex.inbound) throw new ProtocolError(`message ${type} during a key exchange`)
        if (type === transportMessage.serviceRequest) this.#onServiceRequest(payload)
        // RFC 8308: nothing a client announces matters to us.
        else if (type !== transportMessage.extInfo) this.send(unimplementedMessage(this.#packets.currentSequence))
    }
  }

  #onKexMessage(payload: Buffer): void {
    const rekeying = this.#ready && !this.#kex.running
    const agreement = this.#kex.receive(payload)
    if (rekeying && agreement === undefined) this.#watchRekey('client')
    if (agreement !== undefined) this.#onNewKeys(agreement)
  }

  #onNewKeys(agreement: Agreement): void {
    clearTimeout(this.#timer)
    this.#lastKeys = performance.now()
    this.#above = true
    if (this.#ready) this.#events?.rekeyed(this.#initiator)
    else this.#becomeReady(agreement)
    this.#above = false
  }

  #becomeReady(agreement: Agreement): void {
    this.#ready = true
    this.#events?.ready({
      sessionId: this.#kex.sessionId ?? Buffer.alloc(0),
      clientVersion: this.#kex.clientVersion,
      kex: agreement.kexName,
      hostKey: agreement.hostKeyAlgorithm,
      rsaSignature: agreement.rsaSignature,
      cipherIn: agreement.inbound.name,
      cipherOut: agreement.outbound.name,
    })
  }

  #onIdle(type: number): void {
    if (this.#kex.strictlyFirst) throw new ProtocolError(`message ${type} in the first key exchange (strict KEX)`)
    if (!this.#ready && ++this.#idleMessages > idleMessagesMax) throw new ProtocolError('too many idle messages')
  }

  #onServiceRequest(payload: Buffer): void {
    const name = readServiceRequest(payload)
    if (name !== 'ssh-userauth' || this.#serviceAccepted) {
      throw new ProtocolError(`service ${JSON.stringify(name)} is not available`, disconnectReason.serviceNotAvailable)
    }
    this.#serviceAccepted = true
    this.send(serviceAcceptMessage(name))
  }

  #onDisconnect(payload: Buffer): void {
    const { reason, description } = readDisconnect(payload)
    const done = this.#ready && reason === disconnectReason.byApplication
    const text = `client disconnected with reason ${reason}: ${JSON.stringify(description)}`
    this.destroy(done ? undefined : new Error(text))
  }

  #rekey(): void {
    if (!this.#ready || !this.#alive || this.#kex.running) return
    this.#kex.begin()
    this.#watchRekey('server')
  }

  #watchRekey(initiator: Initiator): void {
    this.#initiator = initiator
    const { rekeyDeadlineMs } = this.#options.limits
    const text = `client did not complete a key exchange within ${rekeyDeadlineMs} ms`
    this.#timer = setTimeout(() => this.destroy(new ProtocolError(text)), rekeyDeadlineMs)
  }

  /** After bytes have left, once per tick. */
  #onRoom(): void {
    if (!this.#alive) return
    const { lowBytes, rekeyMs } = this.#options.limits
    if (performance.now() - this.#lastKeys >= rekeyMs) this.#rekey()
    if (this.queuedBytes >= lowBytes) return
    if (this.#readingStopped) {
      this.#readingStopped = false
      if (!this.#paused) this.#socket.resume()
    }
    if (!this.#congested) return
    this.#congested = false
    this.#events?.drain()
  }

  #fail(cause: unknown): void {
    const error = this.#above ? internalError(cause) : packetError(cause)
    this.#above = false
    if (!this.#alive) return
    this.#error = error
    if (this.#version !== undefined) this.#outbox.put(invalidVersionReply)
    this.disconnect(error.reason, error.message)
  }

  #onEnd(): void {
    if (!this.#alive) return
    const unfinished = this.#ready ? 'inside of a packet' : 'before the key exchange was complete'
    if (!this.#ready || this.#packets.insidePacket)
      this.#error = new Error(`client closed the connection ${unfinished}`)
    this.#finish()
  }

  /** Nothing goes in or out any more except what is already in the outbox. */
  #finish(): void {
    this.#stop()
    this.#outbox.end()
    // What still comes in is read and dropped: closing a socket with unread bytes would reset it and lose our last words.
    this.#socket.resume()
    this.#timer = setTimeout(() => this.destroy(), this.#options.limits.disconnectMs)
  }

  #stop(): void {
    this.#alive = false
    this.#packets.end()
    clearTimeout(this.#timer)
  }

  #onClose(): void {
    if (this.#alive && !this.#ready) this.#error = new Error('connection was lost during the key exchange')
    this.#stop()
    this.#outbox.close()
    const events = this.#events
    this.#events = undefined
    events?.closed(this.#error)
  }
}
