/** The binary packet protocol of one connection, RFC 4253 section 6: payloads out and in, with the ciphers of the moment. */
import type { Outbox } from '../outbox.ts'
import type { Keys } from './kex/exchange.ts'
import type { ChosenCipher } from './kex/negotiate.ts'
import { ProtocolError } from './protocol-error.ts'
import {
  addonAvailable,
  createCipher,
  createDecipher,
  type OnPayload,
  type PacketCipher,
  type PacketDecipher,
  plainCipher,
  plainDecipher,
} from './ssh2.ts'

/** Length and padding length stand before the payload. */
const payloadOffset = 5
const nothing = Buffer.alloc(0)

export class Packets {
  readonly #outbox: Outbox
  readonly #onPayload: OnPayload
  readonly #onWrite: (data: Buffer) => void
  #cipher: PacketCipher
  #decipher: PacketDecipher
  /** Payloads that wait for the end of a key exchange; undefined while nothing has to wait. */
  #held: Buffer[] | undefined
  #heldBytes = 0
  #ended = false

  /** The packet that was reserved last. */
  outgoing: Buffer = nothing
  /** Since the ciphers of that direction were last changed. */
  readonly sent = { bytes: 0, packets: 0 }
  readonly received = { bytes: 0, packets: 0 }

  constructor(outbox: Outbox, onPayload: (payload: Buffer) => void) {
    this.#outbox = outbox
    // `decrypt` must not go on with a decipher that has been replaced or freed.
    this.#onPayload = (payload) => {
      const decipher = this.#decipher
      this.received.packets++
      this.received.bytes += payload.length
      // Every message begins with its number (RFC 4253 section 6 allows an empty payload, nothing gives it a meaning).
      if (payload.length === 0) throw new ProtocolError('packet without a message')
      onPayload(payload)
      return this.#ended || decipher !== this.#decipher ? false : undefined
    }
    this.#onWrite = (data) => outbox.put(data)
    outbox.complete = () => this.#cipher.finish?.()
    this.#cipher = plainCipher(this.#onWrite)
    this.#decipher = plainDecipher(this.#onPayload)
  }

  /** Bytes that the kernel has not taken. */
  get queuedBytes(): number {
    return this.#heldBytes + this.#outbox.bytes
  }

  /** Those of them that wait for the end of a key exchange. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Sequence number of the packet whose payload is being handled. */
  get currentSequence(): number {
    return (this.#decipher.inSeqno - 1) >>> 0
  }

  /** Room for a payload in `outgoing`, from the returned offset on. */
  reserve(length: number): number {
    if (this.#held !== undefined || this.#ended) {
      this.outgoing = Buffer.allocUnsafe(length)
      return 0
    }
    this.outgoing = this.#allocate(length)
    return payloadOffset
  }

  commit(): void {
    const packet = this.outgoing
    this.outgoing = nothing
    if (this.#ended) return
    if (this.#held === undefined) {
      this.#encrypt(packet)
    } else {
      this.#held.push(packet)
      this.#heldBytes += packet.length
    }
  }

  /** Sends a message of the transport layer, past everything that is held. */
  sendNow(payload: Uint8Array): void {
    if (this.#ended) return
    const packet = this.#allocate(payload.length)
    packet.set(payload, payloadOffset)
    this.#encrypt(packet)
  }

  /** From our KEXINIT to our NEWKEYS only messages of the transport layer may be sent (RFC 4253 section 7.1). */
  hold(): void {
    this.#held ??= []
  }

  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    this.#heldBytes = 0
    for (const payload of held) this.sendNow(payload)
  }

  /** `restart`: count packets from 0 again, as strict key exchange wants it. */
  changeOutbound({ info, mac }: ChosenCipher, keys: Keys, restart: boolean): void {
    const seqno = restart ? 0 : this.#cipher.outSeqno
    this.#cipher.free()
    this.#cipher = createCipher({ ...keys, info, macInfo: mac, seqno, call: this.#onWrite }, false, true)
    this.sent.bytes = 0
    this.sent.packets = 0
  }

  changeInbound({ info, mac }: ChosenCipher, keys: Keys, restart: boolean): void {
    const seqno = restart ? 0 : this.#decipher.inSeqno
    this.#decipher.free()
    this.#decipher = createDecipher({ ...keys, info, macInfo: mac, seqno, call: this.#onPayload })
    this.received.bytes = 0
    this.received.packets = 0
  }

  /** Decrypts what is complete. Throws for a bad length, padding or MAC. `chunk` may be used again after the call. */
  feed(chunk: Buffer, start: number): void {
    let at: number | undefined = start
    while (at !== undefined && at < chunk.length && !this.#ended) at = this.#decipher.decrypt(chunk, at, chunk.length)
    // A packet whose MAC has not arrived is kept as a view of the chunk.
    const partial = this.#decipher._packet
    if (partial !== null && partial.buffer === chunk.buffer) this.#decipher._packet = Buffer.from(partial)
  }

  /** True when the bytes received so far end inside of a packet. */
  get insidePacket(): boolean {
    return this.#decipher._packet !== null
  }

  /** Drops keys and everything held; later calls do nothing. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#held = undefined
    this.#heldBytes = 0
    this.#cipher.free()
    this.#decipher.free()
  }

  /** Without the addon the ciphers read the plain packet after they have written a part of it: it needs its own place. */
  #allocate(length: number): Buffer {
    return this.#cipher.allocPacket(length, addonAvailable ? this.#outbox : undefined)
  }

  #encrypt(packet: Buffer): void {
    this.sent.packets++
    this.sent.bytes += packet.length
    this.#cipher.encrypt(packet)
  }
}
