/** Growing pauses between attempts. */
export interface Backoff {
  /** Milliseconds to wait before the next attempt; grows with each call. */
  next(): number
  /** The last attempt held: begin again with the shortest pause. */
  reset(): void
}

/**
 * Doubles from `firstMs` up to `capMs`, each pause shortened by a random part of up to a quarter, so that processes
 * which failed together do not come back together.
 */
export function backoff(firstMs: number, capMs: number, random: () => number = Math.random): Backoff {
  let ms = firstMs
  return {
    next() {
      const pause = ms
      ms = Math.min(capMs, ms * 2)
      return Math.round(pause * (1 - random() / 4))
    },
    reset() {
      ms = firstMs
    },
  }
}
