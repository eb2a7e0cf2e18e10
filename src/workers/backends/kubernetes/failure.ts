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
  /** Nobody got the request: another server may be asked without fear of doing it twice. */
  readonly isUnsent: boolean
  readonly #isFinal: boolean

  constructor(
    statusCode: number,
    message: string,
    more: { reason?: string; retryAfterMs?: number; isUnsent?: boolean; isFinal?: boolean; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? {} : { cause: more.cause })
    this.statusCode = statusCode
    this.reason = more.reason ?? ''
    this.retryAfterMs = more.retryAfterMs ?? 0
    this.isUnsent = more.isUnsent ?? false
    this.#isFinal = more.isFinal ?? false
  }

  /** Asking again would get the same answer. A conflict may pass: generated names can meet. */
  get permanent(): boolean {
    const { statusCode } = this
    return this.#isFinal || (statusCode >= 400 && statusCode < 500 && statusCode !== 409 && statusCode !== 429)
  }
}

/** For users, who are to know whether it is worth trying again; nothing about the inside of the cluster. */
export function whyOf({ statusCode, message }: ApiError): string {
  if (statusCode === 0) return 'the cluster cannot be reached'
  if (statusCode === 401 || missingRight.test(message)) return 'the server lacks a right in the cluster'
  if (/\bexceeded quota\b/.test(message)) return 'the quota of the cluster is used up'
  if (statusCode === 429 || statusCode >= 500) return 'the cluster is overloaded or out of order'
  return 'the cluster refuses it'
}
/** k8s.io/apiserver, responsewriters.ForbiddenErrorMessage: what every authorizer's refusal looks like. */
export const missingRight = /\bcannot [a-z]+ resource "/

export const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError
    ? error
    : new ApiError(0, error instanceof Error ? error.message : String(error), { cause: error })

/** Calls `task` until it holds; see `persist.ts`. */
export const persist = <T>(task: (attempt: number) => Promise<T>, how: Persistence<ApiError>): Promise<T> =>
  persistWith(asApiError, task, how)
