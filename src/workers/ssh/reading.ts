/**
 * Why a connection's socket is not read at the moment; it is read again when no reason is left.
 * (That the client does not read our answers is the wire's own business.)
 */
import type { Wire } from './wire.ts'

export const pause = {
  /** Attempts to authenticate wait for the one that is being decided. */
  attempts: 1,
  /** Channel opens wait for the session to be made. */
  opens: 2,
  /** A channel has more unanswered requests than it may. */
  requests: 4,
  /** Global requests wait for the one at work, or for the session to be made. */
  globals: 8,
  /** Audit records wait to be stored. */
  audit: 16,
} as const

export class Reading {
  readonly #wire: Wire
  #reasons = 0

  constructor(wire: Wire) {
    this.#wire = wire
  }

  get paused(): boolean {
    return this.#reasons !== 0
  }

  pause(reason: number): void {
    if (this.#reasons === 0) this.#wire.pause()
    this.#reasons |= reason
  }

  resume(reason: number): void {
    if ((this.#reasons & reason) === 0) return
    this.#reasons &= ~reason
    if (this.#reasons === 0) this.#wire.resume()
  }
}
