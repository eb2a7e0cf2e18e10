/**
 * Remembers that a server does not answer. Without it, every login during an outage would hold its connection, its
 * password and a socket for the whole time limit. A short outage opens nothing: tries that are repeated ride it out.
 */
import { backoff } from '../../shared/retry.ts'

const failuresBeforeOpen = 5
const failingBeforeOpenMs = 3000
const firstPauseMs = 1000
const longestPauseMs = 10_000

export class Circuit {
  readonly #now: () => number
  readonly #pauses = backoff(firstPauseMs, longestPauseMs)
  #failures = 0
  #failingSince = 0
  /** 0: closed. */
  #openUntil = 0
  #probing = false

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Whether a request may be sent. While the circuit is open, one request at a time finds out whether it still should be. */
  admits(probeMs: number): boolean {
    if (this.#openUntil === 0) return true
    const now = this.#now()
    if (now < this.#openUntil) return false
    this.#openUntil = now + probeMs
    this.#probing = true
    return true
  }

  succeeded(): void {
    this.#failures = 0
    if (this.#openUntil === 0) return
    this.#openUntil = 0
    this.#pauses.reset()
  }

  failed(): void {
    const now = this.#now()
    if (this.#failures++ === 0) this.#failingSince = now
    const isOpen = this.#openUntil !== 0
    const opens = this.#failures >= failuresBeforeOpen && now - this.#failingSince >= failingBeforeOpenMs
    // Requests that were on their way when it opened say nothing new.
    if (isOpen ? !this.#probing : !opens) return
    this.#probing = false
    this.#openUntil = now + this.#pauses.next()
  }
}
