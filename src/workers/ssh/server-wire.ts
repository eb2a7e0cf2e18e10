/** One connection of the transport layer: identification, messages 1 to 49, back-pressure, and how it ends. */
import type { Duplex } from 'node:stream'
import { Outbox } from '../outbox.ts'
import { Inflow } from './inflow.ts'
import { KeyExchange } from './kex/key-exchange.ts'
import type { Agreement } from './kex/negotiate.ts'
import { Packets } from './packets.ts'
import { disconnectReason, internalError, ProtocolError, packetError } from './protocol-error.ts'
import { Rekeying, type RekeyingOwner } from './rekeying.ts'
import type { WireOptions } from './transport.ts'
import {
  disconnectMessage,
  isKexMessage,
  isServiceMessage,
  readDisconnect,
  readServiceRequest,
  serviceAcceptMessage,
  transportMessage,
  unimplementedMessage,
} from './transport-messages.ts'
import { VersionLine } from './version.ts'
import type { Wire, WireEvents } from './wire.ts'

/** IGNORE and DEBUG before the first key exchange is complete; more are a flood. */
const idleMessagesMax = 16
/** Replies nobody reads may not pile up: above this multiple of the high mark we stop reading. */
const stopReadingFactor = 4
const invalidVersionReply = Buffer.from('Invalid SSH identification string.\r\n')

export class ServerWire implements Wire, RekeyingOwner {
  readonly #socket: Duplex
  readonly #options: WireOptions
  readonly #inflow: Inflow
  readonly #outbox: Outbox
  readonly #packets: Packets
  readonly #kex: KeyExchange
  readonly rekeying: Rekeying
  #events: WireEvents | undefined
  #version: VersionLine | undefined = new VersionLine()
  #ready = false
  #serviceAccepted = false
  #idleMessages = 0
  #congested = false
  /** True while the layer above handles a message: what it throws is not the client's fault. */
  #above = false
  #alive = true
  #error: Error | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(socket: Duplex, options: WireOptions, early?: Buffer) {
    this.#socket = socket
    this.#options = options
    this.#inflow = new Inflow(socket, early)
    this.#outbox = new Outbox(socket, () => this.#onRoom())
    this.#packets = new Packets(this.#outbox, (payload) => this.#onPayload(payload))
    this.#kex = new KeyExchange(this.#packets, options.offer, options.serverVersion, options.extInfo)
    this.rekeying = new Rekeying(this.#kex, this.#packets, options.limits, this)
    socket.on('error', (error) => this.destroy(error))
    socket.on('end', () => this.#onEnd())
    socket.on('close', () => this.#onClose())
  }

  start(events: WireEvents): void {
    this.#events = events
    this.#outbox.put(this.#options.identification)
    // Together with the identification: this saves a round trip and a write, and RFC 4253 section 7 allows it.
    this.#kex.begin()
    this.#inflow.open(this)
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
    this.rekeying.sent()
  }

  send(payload: Uint8Array): void {
    const offset = this.reserve(payload.length)
    this.outgoing.set(payload, offset)
    this.commit()
  }

  pause(): void {
    this.#inflow.pause()
  }

  resume(): void {
    this.#inflow.resume()
  }

  get heard(): number {
    return this.#inflow.heard
  }

  peek(): void {
    this.#inflow.peek()
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
      this.fail(error)
    }
    if (!this.#alive) return
    this.#boundReplies()
    this.#inflow.took()
    this.rekeying.received()
  }

  /** Replies that the client does not take: there must be an end to them. */
  #boundReplies(): void {
    const most = this.#options.limits.highBytes * stopReadingFactor
    const { heldBytes, queuedBytes } = this.#packets
    // Not to read would be no way out of a key exchange: the client's part of it would not be read either.
    if (heldBytes > most) this.fail(new ProtocolError('too much to be answered during a key exchange'))
    else if (queuedBytes - heldBytes > most) this.#inflow.block()
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
    const first = !this.#kex.running
    const agreement = this.#kex.receive(payload)
    if (agreement !== undefined) this.#onNewKeys(agreement)
    else if (first) this.rekeying.clientBegan()
  }

  #onNewKeys(agreement: Agreement): void {
    this.rekeying.newKeys()
    this.#above = true
    if (this.#ready) this.#events?.rekeyed(this.rekeying.initiator)
    else this.#becomeReady(agreement)
    this.#above = false
  }

  #becomeReady(agreement: Agreement): void {
    this.#ready = true
    this.#events?.ready(this.#kex.negotiated(agreement))
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
    if (this.#ready && reason === disconnectReason.byApplication) this.destroy()
    else this.destroy(new Error(`client disconnected with reason ${reason}: ${JSON.stringify(description)}`))
  }

  /** After bytes have left, once per tick. */
  #onRoom(): void {
    if (!this.#alive) return
    this.rekeying.checkAge()
    const { lowBytes } = this.#options.limits
    const { heldBytes, queuedBytes } = this.#packets
    if (queuedBytes - heldBytes < lowBytes) this.#inflow.unblock()
    if (!this.#congested || queuedBytes >= lowBytes) return
    this.#congested = false
    this.#events?.drain()
  }

  fail(cause: unknown): void {
    const error = this.#above ? internalError(cause) : packetError(cause)
    this.#above = false
    if (!this.#alive) return
    this.#error = error
    if (this.#version !== undefined) this.#outbox.put(invalidVersionReply)
    this.disconnect(error.reason, error.message)
  }

  #onEnd(): void {
    if (!this.#alive) return
    if (!this.#ready) this.#error = new Error('client closed the connection before the key exchange was complete')
    else if (this.#packets.insidePacket) this.#error = new Error('client closed the connection inside of a packet')
    if (this.#packets.queuedBytes === 0)
      this.destroy() // two shutdowns would cost 40 us more
    else this.#finish()
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
    this.#inflow.close()
    this.#packets.end()
    this.rekeying.stop()
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
