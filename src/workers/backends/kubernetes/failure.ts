/** What can go wrong between us and the API server, and what may be tried again. */
import { type Persistence, persistWith } from '../persist.ts'

export { failureLabels } from '../persist.ts'

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

/** Calls `task` until it holds; see `persist.ts`. */
export const persist = <T>(task: (attempt: number) => Promise<T>, how: Persistence<ApiError>): Promise<T> =>
  persistWith(asApiError, task, how)
