/** Calls to what a room stands on, tried again for as long as that may help. */
import { sleep } from '../../shared/deadline.ts'
import { backoff } from '../../shared/retry.ts'

/** How such a call fails. */
export interface CallError extends Error {
  /** HTTP status; 0 when there was no answer. */
  readonly statusCode: number
  /** Asking again would get the same answer. */
  readonly permanent: boolean
  /** The other side asks to wait so long (RFC 9110 section 10.2.3); absent, or 0: it does not. */
  readonly retryAfterMs?: number
}

/** The labels that each record of a failed call carries. A missing answer has no status code. */
export interface FailureLabels {
  readonly attempt: number
  readonly statusCode?: number
  readonly reason: string
}

export const failureLabels = (error: CallError, attempt: number, gaveUp = false): FailureLabels => ({
  attempt,
  reason: gaveUp ? `gave up after ${attempt} attempts: ${error.message}` : error.message,
  ...(error.statusCode === 0 ? {} : { statusCode: error.statusCode }),
})

export interface Persistence<E extends CallError> {
  /** Gives up when aborted: the caller's deadline or its end. */
  readonly signal: AbortSignal
  /** A try failed and another one will follow. */
  retrying(labels: FailureLabels, error: E): void
  /** Makes what is thrown in the end: the answer is final, or the time is over and the reason says so. */
  failed(labels: FailureLabels, error: E): Error
  /** Default: the error's own opinion. */
  permanent?(error: E): boolean
}

/**
 * Calls `task` until it holds, with pauses of 0.2 s doubling to 10 s, or as long as the other side asks for. `asError`:
 * what was thrown, as the room knows it.
 */
export async function persistWith<T, E extends CallError>(
  asError: (thrown: unknown) => E,
  task: (attempt: number) => Promise<T>,
  how: Persistence<E>,
): Promise<T> {
  const pauses = backoff(200, 10_000)
  const permanent = how.permanent ?? ((error) => error.permanent)
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await task(attempt)
    } catch (thrown) {
      const error = asError(thrown)
      if (permanent(error)) throw how.failed(failureLabels(error, attempt), error)
      if (how.signal.aborted) throw how.failed(failureLabels(error, attempt, true), error)
      how.retrying(failureLabels(error, attempt), error)
      await sleep(Math.max(error.retryAfterMs ?? 0, pauses.next()), how.signal)
      if (how.signal.aborted) throw how.failed(failureLabels(error, attempt, true), error)
    }
  }
}
