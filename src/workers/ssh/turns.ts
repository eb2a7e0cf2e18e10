/** Who may send next on one connection, and how much all connections of a worker may keep for clients that do not read. */
import type { Wire } from './wire.ts'

/** What every connection may have under way even then: stalled clients must not starve the others. */
const fairShareBytes = 32 * 1024
/** The wire tells when it is no longer full, not when it falls below the fair share: look again after so long. */
const scarceMs = 20
/**
 * Then all other connections go first: of a client that takes one byte per packet, a full wire is 7000 packets, which
 * takes as long as a login.
 */
const packetsAtOnce = 512

/** Bytes that lie in full wires, over all connections of a worker. Above the limit they get by with less. */
export class Backlog {
  readonly #limitBytes: number
  usedBytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  get spent(): boolean {
    return this.usedBytes > this.#limitBytes
  }
}

/** One stream in the line. */
export interface Waiting {
  /** Sends one packet, or goes on with what it waited for. */
  turn(): void
}

/** The streams of one connection that wait for the wire, each getting one packet when its turn comes. */
export class Turns {
  readonly #wire: Wire
  readonly #backlog: Backlog
  #waiting: Waiting[] = []
  #running = false
  /** Packets of data that went out. */
  sent = 0
  #restAt = packetsAtOnce
  #resting = false
  /** What this connection has in the backlog. */
  #heldBytes = 0
  #timer: NodeJS.Timeout | undefined

  constructor(wire: Wire, backlog: Backlog) {
    this.#wire = wire
    this.#backlog = backlog
  }

  /** Nothing more may be sent now. */
  get full(): boolean {
    const { congested, queuedBytes } = this.#wire
    return congested || this.sent >= this.#restAt || (this.#backlog.spent && queuedBytes > fairShareBytes)
  }

  add(stream: Waiting): void {
    this.#waiting.push(stream)
    if (!this.#running) this.#sleep()
  }

  /** Until the wire is full again. A stream that still has bytes goes to the end of the line. */
  run(): void {
    if (this.#running) return
    this.#running = true
    while (!this.full) {
      const stream = this.#waiting.shift()
      if (stream === undefined) break
      stream.turn()
    }
    this.#running = false
    this.#sleep()
  }

  /** Nobody is called any more. */
  end(): void {
    this.#waiting = []
    this.#account(0)
    clearTimeout(this.#timer)
  }

  rested(): void {
    this.#resting = false
    this.#restAt = this.sent + packetsAtOnce
    if (this.#wire.alive) this.run()
  }

  /** A full wire calls `run` when it has room; a scarce worker does not, so somebody has to look. */
  #sleep(): void {
    const { congested, queuedBytes } = this.#wire
    this.#account(congested ? queuedBytes : 0)
    if (congested || this.#waiting.length === 0 || this.#timer !== undefined || this.#resting || !this.full) return
    if (this.sent >= this.#restAt) {
      this.#resting = true
      setImmediate(rest, this)
      return
    }
    this.#timer = setTimeout(wake, scarceMs, this).unref()
  }

  wake(): void {
    this.#timer = undefined
    if (this.#wire.alive) this.run()
  }

  #account(bytes: number): void {
    this.#backlog.usedBytes += bytes - this.#heldBytes
    this.#heldBytes = bytes
  }
}

const wake = (turns: Turns): void => turns.wake()
const rest = (turns: Turns): void => turns.rested()
