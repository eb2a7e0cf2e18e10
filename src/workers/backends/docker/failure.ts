/** What can go wrong between us and the engine, and what may be tried again. */
import { sleep } from '../../../shared/deadline.ts'
import { backoff } from '../../../shared/retry.ts'

/** The engine said no, or said nothing. No error of the client library leaves `client.ts` in another form. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  /** HTTP status; 0 when there was no answer. */
  readonly statusCode: number

  constructor(statusCode: number, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.statusCode = statusCode
  }

  /** Asking again would get the same answer: the request itself is refused. */
  get permanent(): boolean {
    return PERMANENT.has(this.statusCode)
  }
}

/** Bad request, credentials, not found, conflict, not implemented. Everything else may pass: restarts, load, networks. */
const PERMANENT: ReadonlySet<number> = new Set([400, 401, 403, 404, 409, 501])

export const asEngineError = (error: unknown): EngineError =>
  error instanceof EngineError
    ? error
    : new EngineError(0, error instanceof Error ? error.message : String(error), { cause: error })

/** The labels that each record of a failed call carries. A missing answer has no status code. */
export interface FailureLabels {
  readonly attempt: number
  readonly statusCode?: number
  readonly reason: string
}

export const failureLabels = (error: EngineError, attempt: number, gaveUp = false): FailureLabels => ({
  attempt,
  reason: gaveUp ? `gave up after ${attempt} attempts: ${error.message}` : error.message,
  ...(error.statusCode === 0 ? {} : { statusCode: error.statusCode }),
})

export interface Persistence {
  /** Gives up when aborted: the caller's deadline or its end. */
  readonly signal: AbortSignal
  /** A try failed and another one will follow. */
  retrying(labels: FailureLabels, error: EngineError): void
  /** Makes what is thrown in the end: the engine's answer is final, or the time is over and the reason says so. */
  failed(labels: FailureLabels, error: EngineError): Error
  /** Default: the error's own opinion. */
  permanent?(error: EngineError): boolean
}

/** Calls `task` until it holds, with pauses of 0.2 s doubling to 10 s. */
export async function persist<T>(task: (attempt: number) => Promise<T>, how: Persistence): Promise<T> {
  const pauses = backoff(200, 10_000)
  const permanent = how.permanent ?? ((error) => error.permanent)
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await task(attempt)
    } catch (thrown) {
      const error = asEngineError(thrown)
      if (permanent(error)) throw how.failed(failureLabels(error, attempt), error)
      if (how.signal.aborted) throw how.failed(failureLabels(error, attempt, true), error)
      how.retrying(failureLabels(error, attempt), error)
      await sleep(pauses.next(), how.signal)
      if (how.signal.aborted) throw how.failed(failureLabels(error, attempt, true), error)
    }
  }
}
