/** How fast we may ask: `qps` calls a second, `burst` at once beyond that. For all connections with the same client. */
import { sleep } from '../../../shared/deadline.ts'

export interface Pace {
  /** Waits for its turn, first come first served. @throws the signal's reason */
  turn(signal: AbortSignal): Promise<void>
}

export function createPace(qps: number, burst: number): Pace {
  /** Of `performance.now()`: when the next call would be due if they came one after the other. */
  let due = Number.NEGATIVE_INFINITY
  const intervalMs = 1000 / qps
  return {
    async turn(signal) {
      signal.throwIfAborted()
      const now = performance.now()
      due = Math.max(due, now - burst * intervalMs) + intervalMs
      const waitMs = due - now
      if (waitMs <= 0) return
      await sleep(waitMs, signal)
      signal.throwIfAborted()
    },
  }
}
