/** The course of the key exchanges of one connection: the first one, and every re-keying. RFC 4253 sections 7 and 9. */
import type { Offer } from '../algorithms.ts'
import type { Packets } from '../packets.ts'
import { disconnectReason, ProtocolError } from '../protocol-error.ts'
import { fillRandom } from '../random.ts'
import type { Negotiated } from '../wire.ts'
import { answerExchange, type Keys } from './exchange.ts'
import { type Agreement, negotiate } from './negotiate.ts'

const kexInitMessage = 20
const newKeysMessage = 21
const newKeys = Buffer.of(newKeysMessage)

/** Between its own KEXINIT and its NEWKEYS the client may send nothing else. */
type Step = 'before KEXINIT' | 'before public value' | 'before NEWKEYS'

export class KeyExchange {
  readonly #packets: Packets
  readonly #offer: Offer
  readonly #serverVersion: string
  readonly #extInfo: Uint8Array
  #step: Step = 'before KEXINIT'
  #strict = false
  #serverKexInit: Buffer | undefined
  #clientKexInit: Buffer | undefined
  #agreement: Agreement | undefined
  #inboundKeys: Keys | undefined
  #skipNext = false
  #completed = false

  /** Of the first exchange. */
  sessionId: Buffer | undefined
  clientVersion = ''

  /** `extInfo` is the message that follows our first NEWKEYS (RFC 8308 section 2.4) if the client wants it. */
  constructor(packets: Packets, offer: Offer, serverVersion: string, extInfo: Uint8Array) {
    this.#packets = packets
    this.#offer = offer
    this.#serverVersion = serverVersion
    this.#extInfo = extInfo
  }

  /** From our KEXINIT to the client's NEWKEYS. */
  get running(): boolean {
    return this.#serverKexInit !== undefined
  }

  /** From the client's KEXINIT to its NEWKEYS. */
  get inbound(): boolean {
    return this.#step !== 'before KEXINIT'
  }

  /** True while strict key exchange forbids even IGNORE and DEBUG: up to the client's first NEWKEYS. */
  get strictlyFirst(): boolean {
    return this.#strict && !this.#completed
  }

  /** What the layers above are to know of the first exchange. */
  negotiated({ kexName, hostKeyAlgorithm, rsaSignature, inbound, outbound }: Agreement): Negotiated {
    return {
      sessionId: this.sessionId ?? Buffer.alloc(0),
      clientVersion: this.clientVersion,
      kex: kexName,
      hostKey: hostKeyAlgorithm,
      rsaSignature,
      cipherIn: inbound.name,
      cipherOut: outbound.name,
    }
  }

  /** Sends our KEXINIT, unless an exchange is under way. */
  begin(): void {
    if (this.running) return
    const { nameLists } = this.#offer
    const message = Buffer.allocUnsafe(1 + 16 + nameLists.length + 1 + 4)
    message[0] = kexInitMessage
    fillRandom(message, 1, 16)
    message.set(nameLists, 17)
    message.fill(0, 17 + nameLists.length)
    this.#serverKexInit = message
    this.#packets.sendNow(message)
    this.#packets.hold()
  }

  /** Takes a message numbered 20 to 49. Returns what was agreed on when it completes the exchange. */
  receive(message: Buffer): Agreement | undefined {
    const type = message[0] ?? 0
    if (this.#step === 'before KEXINIT' && type === kexInitMessage) return this.#onKexInit(message)
    if (this.#step === 'before KEXINIT' || type === kexInitMessage) throw unexpected(type, this.#step)
    if (this.#skipNext) {
      this.#skipNext = false
      return undefined
    }
    if (this.#step === 'before public value') return this.#onPublicValue(message)
    if (type !== newKeysMessage || message.length !== 1) throw unexpected(type, this.#step)
    return this.#onNewKeys()
  }

  #onKexInit(message: Buffer): undefined {
    const agreement = negotiate(message, this.#offer)
    if (this.sessionId === undefined) {
      this.#strict = agreement.strict
      if (this.#strict && this.#packets.currentSequence !== 0) {
        throw new ProtocolError('KEXINIT was not the first packet (strict KEX)', disconnectReason.keyExchangeFailed)
      }
    }
    this.begin()
    // A copy, because the message is a view of the receive buffer and is hashed later.
    this.#clientKexInit = Buffer.from(message)
    this.#agreement = agreement
    this.#skipNext = agreement.wrongGuess
    this.#step = 'before public value'
  }

  #onPublicValue(message: Buffer): undefined {
    const agreement = this.#agreement
    const [clientKexInit, serverKexInit] = [this.#clientKexInit, this.#serverKexInit]
    if (!agreement || !clientKexInit || !serverKexInit) throw unexpected(message[0] ?? 0, this.#step)
    const transcript = {
      clientVersion: this.clientVersion,
      serverVersion: this.#serverVersion,
      clientKexInit,
      serverKexInit,
    }
    const first = this.sessionId === undefined
    const result = answerExchange(message, agreement, transcript, this.sessionId)
    this.#packets.sendNow(result.reply)
    this.#packets.sendNow(newKeys)
    this.#packets.changeOutbound(agreement.outbound, result.outbound, this.#strict)
    if (first && agreement.extInfo) this.#packets.sendNow(this.#extInfo)
    this.#packets.release()
    this.sessionId ??= result.exchangeHash
    this.#inboundKeys = result.inbound
    this.#step = 'before NEWKEYS'
  }

  #onNewKeys(): Agreement {
    const [agreement, keys] = [this.#agreement, this.#inboundKeys]
    if (!agreement || !keys) throw unexpected(newKeysMessage, this.#step)
    this.#packets.changeInbound(agreement.inbound, keys, this.#strict)
    this.#completed = true
    this.#serverKexInit = undefined
    this.#clientKexInit = undefined
    this.#agreement = undefined
    this.#inboundKeys = undefined
    this.#step = 'before KEXINIT'
    return agreement
  }
}

function unexpected(type: number, step: Step): ProtocolError {
  return new ProtocolError(`unexpected message ${type} ${step}`, disconnectReason.keyExchangeFailed)
}
