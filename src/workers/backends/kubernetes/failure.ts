/** What can go wrong between us and the API server, and what may be tried again. */
import { sleep } from '../../../shared/deadline.ts'
import { backoff } from '../../../shared/retry.ts'

/** The API server said no, or said nothing. No error of a library leaves `client.ts` and `stream.ts` in another form. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** HTTP status; 0 when there was no answer. */
  readonly statusCode: number
  /** `reason` of the Status object, such as NotFound; empty when there was none. */
  readonly reason: string
  /** The server asks to wait so long (RFC 9110 section 10.2.3); 0: it does not. */
  readonly retryAfterMs: number

  constructor(
    statusCode: number,
    message: string,
    more: { reason?: string; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? {} : { cause: more.cause })
    this.statusCode = statusCode
    this.reason = more.reason ?? ''
    this.retryAfterMs = more.retryAfterMs ?? 0
  }

  /** Asking again would get the same answer. A conflict may pass: generated names can meet. */
  get permanent(): boolean {
    return this.statusCode >= 400 && this.statusCode < 500 && this.statusCode !== 409 && this.statusCode !== 429
  }
}

export const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError
    ? error
    : new ApiError(0, error instanceof Error ? error.message : String(error), { cause: error })

/** The labels that each record of a failed call carries. A missing answer has no status code. */
export interface FailureLabels {
  readonly attempt: number
  readonly statusCode?: number
  readonly reason: string
}

export const failureLabels = (error: ApiError, attempt: number, gaveUp = false): FailureLabels => ({
  attempt,
  reason: gaveUp ? `gave up after ${attempt} attempts: ${error.message}` : error.message,
  ...(error.statusCode === 0 ? {} : { statusCode: error.statusCode }),
})

export interface Persistence {
  /** Gives up when aborted: the caller's deadline or its end. */
  readonly signal: AbortSignal
  /** A try failed and another one will follow. */
  retrying(labels: FailureLabels, error: ApiError): void
  /** Makes what is thrown in the end. */
  failed(labels: FailureLabels, error: ApiError): Error
}

/** Calls `task` until it holds, with pauses of 0.2 s doubling to 10 s, or as long as the server asks for. */
export async function persist<T>(task: (attempt: number) => Promise<T>, how: Persistence): Promise<T> {
  const pauses = backoff(200, 10_000)
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await task(attempt)
    } catch (thrown) {
      const error = asApiError(thrown)
      if (error.permanent) throw how.failed(failureLabels(error, attempt), error)
      if (how.signal.aborted) throw how.failed(failureLabels(error, attempt, true), error)
      how.retrying(failureLabels(error, attempt), error)
      await sleep(Math.max(error.retryAfterMs, pauses.next()), how.signal)
      if (how.signal.aborted) throw how.failed(failureLabels(error, attempt, true), error)
    }
  }
}
