/** How much channel data has moved on one connection, and when it last did, for operators who ask. */
import type { ChannelEnd } from './channel-end.ts'

export class Traffic {
  /** Of channels that are no more. */
  #receivedBytes = 0
  #sentBytes = 0
  #activity = 0
  #activeMs = performance.now()

  left({ input, output }: ChannelEnd): void {
    this.#receivedBytes += input.receivedBytes
    this.#sentBytes += output.sentBytes
  }

  /** `channels`: those that are there. */
  total(channels: Iterable<ChannelEnd>): { readonly receivedBytes: number; readonly sentBytes: number } {
    let [receivedBytes, sentBytes] = [this.#receivedBytes, this.#sentBytes]
    for (const { input, output } of channels) {
      receivedBytes += input.receivedBytes
      sentBytes += output.sentBytes
    }
    return { receivedBytes, sentBytes }
  }

  /**
   * Milliseconds without data, as exact as it is asked for: nothing looks at a clock when data moves. `activity` has
   * changed since the last time if any has.
   */
  idleMs(activity: number): number {
    const now = performance.now()
    if (activity !== this.#activity) {
      this.#activity = activity
      this.#activeMs = now
    }
    return now - this.#activeMs
  }
}
