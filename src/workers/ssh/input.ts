/**
 * What a channel receives (RFC 4254 section 5.2): the peer may send as much as the window says, and the window is opened
 * again only when the consumer has taken the bytes. What nobody takes yet is kept here, never more than one window.
 */
import type { Sink } from '../ports.ts'
import type { Budget } from './budget.ts'
import { ByteQueue } from './queue.ts'

/**
 * A new channel's window: two packets, so that a client that floods channels which nobody reads costs little. Doubled,
 * up to the largest size and as the budget allows, whenever the consumer takes half a window without stopping us: only
 * a fast consumer at the end of a long way needs more.
 */
export const firstWindowBytes = 65_536

export interface InputOwner {
  /** Sends a WINDOW_ADJUST. */
  grant(bytes: number): void
}

export class Input {
  readonly #budget: Budget
  readonly #largestBytes: number
  readonly #owner: InputOwner
  /** The window when all is consumed. */
  #targetBytes = firstWindowBytes
  /** What the peer may still send. */
  #windowBytes = firstWindowBytes
  /** Consumed since the last WINDOW_ADJUST. */
  #takenBytes = 0
  #kept: ByteQueue | undefined
  #sink: Sink | undefined
  receivedBytes = 0
  /** The sink asked to wait. */
  #blocked = false
  /** The sink asked to wait since the last WINDOW_ADJUST. */
  #stalled = false
  #over = false
  #closed = false

  /** The budget pays for windows above the first size. */
  constructor(budget: Budget, largestBytes: number, owner: InputOwner) {
    this.#budget = budget
    this.#largestBytes = largestBytes
    this.#owner = owner
  }

  /** CHANNEL_DATA, lent. False: the peer sent more than it was allowed to. */
  receive(bytes: Uint8Array): boolean {
    if (bytes.length > this.#windowBytes) return false
    this.#windowBytes -= bytes.length
    this.receivedBytes += bytes.length
    if (this.#closed || this.#over) return true
    if (this.#sink === undefined || this.#blocked || this.#kept !== undefined) {
      this.#kept ??= new ByteQueue()
      this.#kept.push(bytes)
      return true
    }
    this.#give(this.#sink, bytes)
    this.#open()
    return true
  }

  /** Bytes that nobody wants, such as data after EOF would be: they only use up the window. */
  discard(length: number): boolean {
    if (length > this.#windowBytes) return false
    this.#windowBytes -= length
    this.#takenBytes += length
    // No consumer was fast: no reason for a larger window.
    this.#stalled = true
    this.#open()
    return true
  }

  /** CHANNEL_EOF: the sink ends after the last byte. */
  end(): void {
    if (this.#over) return
    this.#over = true
    if (this.#kept === undefined && !this.#closed) this.#sink?.end()
  }

  /** What `Source.into` promises; a second sink gets nothing. */
  into(sink: Sink): void {
    if (this.#sink !== undefined) return
    this.#sink = sink
    sink.onDrain(() => this.#resume(sink))
    this.#resume(sink)
  }

  /** The channel is over: nothing more goes to the sink. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#kept = undefined
    this.#budget.give(this.#targetBytes - firstWindowBytes)
  }

  #resume(sink: Sink): void {
    this.#blocked = false
    const kept = this.#kept
    if (kept !== undefined && !this.#closed) {
      while (kept.length > 0 && !this.#blocked) {
        const bytes = kept.peek(this.#largestBytes)
        if (bytes === undefined) break
        this.#give(sink, bytes)
        kept.shift(bytes.length)
      }
      if (kept.length === 0) this.#kept = undefined
    }
    if (this.#closed || this.#kept !== undefined) return
    if (this.#over) sink.end()
    else this.#open()
  }

  #give(sink: Sink, bytes: Uint8Array): void {
    const more = sink.write(bytes)
    this.#takenBytes += bytes.length
    if (more) return
    this.#blocked = true
    this.#stalled = true
  }

  /** Grants what was consumed, when that is worth a message. */
  #open(): void {
    if (this.#blocked || this.#closed || this.#over || this.#takenBytes < this.#targetBytes / 2) return
    let granted = this.#takenBytes
    const more = Math.min(this.#targetBytes, this.#largestBytes - this.#targetBytes)
    if (!this.#stalled && more > 0 && this.#budget.take(more)) {
      granted += more
      this.#targetBytes += more
    }
    this.#stalled = false
    this.#takenBytes = 0
    this.#windowBytes += granted
    this.#owner.grant(granted)
  }
}
