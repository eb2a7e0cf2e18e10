/** Has them made until none is missing: a few at a time, and after a failure not before a pause. */
import { backoff } from '../../../shared/retry.ts'

export interface Filler extends AsyncDisposable {
  /** After so many milliseconds, or sooner if that was agreed on already. */
  soon(afterMs: number): void
}

export interface Fillable {
  /** How many there should be besides those that are being made; may be negative. */
  missing(): number
  /** One more. */
  make(signal: AbortSignal): Promise<void>
  failed(error: unknown): void
}

/** A profile's part in the turns for starts, and in what the creating costs before. */
const MOST_AT_ONCE = 4

export function createFiller({ missing, make, failed }: Fillable): Filler {
  const making = new Set<Promise<void>>()
  const closing = new AbortController()
  const pauses = backoff(1000, 30_000)
  let timer: NodeJS.Timeout | undefined

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
    while (making.size < MOST_AT_ONCE && missing() > making.size) {
      const task: Promise<void> = makeOne().finally(() => making.delete(task))
      making.add(task)
    }
  }
  const soon = (afterMs: number): void => {
    if (!closing.signal.aborted) timer ??= setTimeout(fill, afterMs)
  }
  return {
    soon,
    async [Symbol.asyncDispose]() {
      closing.abort()
      clearTimeout(timer)
      await Promise.all(making)
    },
  }
}
