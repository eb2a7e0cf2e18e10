/**
 * One operator who watches one connection. What the primary has not asked for yet, or its link has no room for, is lost
 * and told: nobody who watches ever slows a session.
 */
import type { Report } from '../../shared/ipc/contract.ts'
import { MAX_WATCHED_BYTES, WATCH_WINDOW_BYTES } from '../../shared/ipc/control.ts'
import type { Link as Pipe } from '../../shared/ipc/link.ts'
import type { WindowSize } from '../ports.ts'
import type { Link } from '../ssh/link.ts'
import type { Watcher } from '../ssh/watchers.ts'

/** With more than this under way to the primary, what is watched is lost rather than in the way of the rest. */
const busyBytes = 128 * 1024

export class Watch implements Watcher {
  readonly link: Link
  readonly #watch: number
  /** -1: all. */
  readonly #channel: number
  readonly #pipe: Pipe<Report>
  #creditBytes = WATCH_WINDOW_BYTES
  #lostBytes = 0
  /** Of which something was lost. */
  #lastChannel = 0

  constructor(link: Link, watch: number, channel: number, pipe: Pipe<Report>) {
    this.link = link
    this.#watch = watch
    this.#channel = channel
    this.#pipe = pipe
  }

  take(channel: number, stream: 1 | 2, bytes: Uint8Array): void {
    if (!this.#wants(channel)) return
    let rest = bytes
    while (rest.length > 0) {
      const taken = Math.min(rest.length, this.#creditBytes, MAX_WATCHED_BYTES)
      if (taken === 0 || this.#pipe.queuedBytes > busyBytes) {
        this.#lostBytes += rest.length
        this.#lastChannel = channel
        return
      }
      this.#send(channel, stream, rest.subarray(0, taken))
      this.#creditBytes -= taken
      rest = rest.subarray(taken)
    }
  }

  sized(channel: number, { columns, rows }: WindowSize): void {
    if (!this.#wants(channel) || this.#pipe.queuedBytes > busyBytes) return
    this.#pipe.send({ kind: 'watched-size', watch: this.#watch, channel, columns, rows })
  }

  more(bytes: number): void {
    this.#creditBytes = Math.min(this.#creditBytes + bytes, WATCH_WINDOW_BYTES)
    // A program that has nothing more to say leaves no gap untold.
    if (this.#lostBytes > 0) this.#send(this.#lastChannel, 1, new Uint8Array(0))
  }

  #wants(channel: number): boolean {
    return this.#channel === -1 || this.#channel === channel
  }

  #send(channel: number, stream: 1 | 2, bytes: Uint8Array): void {
    this.#pipe.send({ kind: 'watched', watch: this.#watch, channel, stream, lost: this.#lostBytes, bytes })
    this.#lostBytes = 0
  }
}
