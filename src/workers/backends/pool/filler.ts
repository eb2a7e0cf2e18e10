/** Has them made until none is missing: a few at a time, and after a failure not before a pause. */
import { backoff } from '../../../shared/retry.ts'

export interface Filler extends AsyncDisposable {
  /** After so many milliseconds, or sooner if that was agreed on already. */
  soon(afterMs: number): void
  /** Somebody came: what follows waits until nobody has come for a while. */
  claimed(): void
}

export interface Fillable {
  /** How many there should be besides those that are being made; may be negative. */
  missing(): number
  /** One more. */
  make(signal: AbortSignal): Promise<void>
  failed(error: unknown): void
}

/** A login that was served should not share the machine with what follows it: the making of the next one. */
export const AFTER_CLAIM_MS = 500
/** Logins that never cease must not leave the pool empty. */
export const MOST_PATIENCE_MS = 3000
/** A profile's part in the turns for starts, and in what the creating costs before. */
const MOST_AT_ONCE = 4

export function createFiller({ missing, make, failed }: Fillable): Filler {
  const making = new Set<Promise<void>>()
  const closing = new AbortController()
  const pauses = backoff(1000, 30_000)
  let timer: NodeJS.Timeout | undefined
  /** Nothing is begun before. */
  let heldUntil = 0
  /** Of those that came one after the other; undefined: nothing was missing since. */
  let firstClaimAt: number | undefined

  const makeOne = async (): Promise<void> => {
    try {
      await make(closing.signal)
      pauses.reset()
      soon(0)
    } catch (error) {
      if (closing.signal.aborted) return
      // Told once for all that are being made at the same time.
      if (timer === undefined) failed(error)
      soon(pauses.next())
    }
  }
  const fill = (): void => {
    timer = undefined
    const waitMs = heldUntil - performance.now()
    if (waitMs > 0) {
      soon(waitMs)
      return
    }
    while (making.size < MOST_AT_ONCE && missing() > making.size) {
      const task: Promise<void> = makeOne().finally(() => making.delete(task))
      making.add(task)
    }
    if (missing() <= making.size) firstClaimAt = undefined
  }
  const soon = (afterMs: number): void => {
    if (!closing.signal.aborted) timer ??= setTimeout(fill, afterMs)
  }
  return {
    soon,
    claimed() {
      const now = performance.now()
      firstClaimAt ??= now
      heldUntil = Math.min(now + AFTER_CLAIM_MS, firstClaimAt + MOST_PATIENCE_MS)
      soon(AFTER_CLAIM_MS)
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      clearTimeout(timer)
      await Promise.all(making)
    },
  }
}
