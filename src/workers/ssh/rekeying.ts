/**
 * When one connection gets new keys (RFC 4253 section 9, RFC 4344 section 3): after so many bytes or packets in one
 * direction or so much time, and how long the client may take for it. An idle connection whose keepalives are turned off
 * sends nothing that an old key could betray, so nobody looks at its clock.
 */
import { count } from '../../shared/metric.ts'
import type { KeyExchange } from './kex/key-exchange.ts'
import type { Packets } from './packets.ts'
import { disconnectReason, ProtocolError } from './protocol-error.ts'
import type { WireLimits } from './transport.ts'
import type { Initiator } from './wire.ts'

/**
 * What a client may begin without need: so many at once, and one more each second. An exchange costs as much CPU as
 * sending a megabyte, and without a limit a client could do nothing else all day.
 */
const needlessAtOnce = 16
const needlessEveryMs = 1000
/** With as much data, in both directions together, new keys are not without need: clients may be set to very little. */
const needBytes = 64 * 1024

export interface RekeyingOwner {
  /** The client did not complete a re-keying in time, or begins one after the other. */
  fail(error: ProtocolError): void
}

export class Rekeying {
  readonly #kex: KeyExchange
  readonly #packets: Packets
  readonly #limits: WireLimits
  readonly #owner: RekeyingOwner
  /** From the first keys to the end of the connection. */
  #active = false
  #allowed = false
  #lastKeys = 0
  #timer: NodeJS.Timeout | undefined
  /** Exchanges without need that are still counted, at `#needlessAt`. */
  #needless = 0
  #needlessAt = 0
  /** Of the last re-keying. */
  initiator: Initiator = 'server'

  constructor(kex: KeyExchange, packets: Packets, limits: WireLimits, owner: RekeyingOwner) {
    this.#kex = kex
    this.#packets = packets
    this.#limits = limits
    this.#owner = owner
  }

  /** From now on we may begin. */
  allow(): void {
    this.#allowed = true
  }

  /** After each packet that was sent. */
  sent(): void {
    if (this.#wornOut(this.#packets.sent)) this.#begin()
  }

  /** After each read from the socket. */
  received(): void {
    if (this.#wornOut(this.#packets.received)) this.#begin()
    this.checkAge()
  }

  checkAge(): void {
    if (performance.now() - this.#lastKeys >= this.#limits.rekeyMs) this.#begin()
  }

  /** The client sent its KEXINIT first. */
  clientBegan(): void {
    if (!this.#active) return
    if (this.#packets.received.bytes + this.#packets.sent.bytes < needBytes && this.#tooMany()) {
      count('containerssh_ssh_limits_total', { limit: 'rekey' })
      this.#owner.fail(new ProtocolError('too many key exchanges without need'))
      return
    }
    this.#watch('client')
  }

  #tooMany(): boolean {
    const now = performance.now()
    this.#needless = Math.max(0, this.#needless - (now - this.#needlessAt) / needlessEveryMs) + 1
    this.#needlessAt = now
    return this.#needless > needlessAtOnce
  }

  newKeys(): void {
    clearTimeout(this.#timer)
    this.#lastKeys = performance.now()
    this.#active = true
  }

  stop(): void {
    this.#active = false
    clearTimeout(this.#timer)
  }

  #wornOut({ bytes, packets }: Packets['sent']): boolean {
    return bytes >= this.#limits.rekeyBytes || packets >= this.#limits.rekeyPackets
  }

  #begin(): void {
    if (!this.#active || !this.#allowed || this.#kex.running) return
    this.#kex.begin()
    this.#watch('server')
  }

  #watch(initiator: Initiator): void {
    this.initiator = initiator
    this.#timer = setTimeout(expire, this.#limits.rekeyDeadlineMs, this)
  }

  expire(): void {
    count('containerssh_ssh_limits_total', { limit: 'rekey' })
    const text = `client did not complete a key exchange within ${this.#limits.rekeyDeadlineMs} ms`
    this.#owner.fail(new ProtocolError(text, disconnectReason.keyExchangeFailed))
  }
}

const expire = (rekeying: Rekeying): void => rekeying.expire()
