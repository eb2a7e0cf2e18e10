/** What can go wrong between us and the engine, and what may be tried again. */
import { type Persistence, persistWith } from '../persist.ts'

export { failureLabels } from '../persist.ts'

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

/** Calls `task` until it holds; see `persist.ts`. */
export const persist = <T>(task: (attempt: number) => Promise<T>, how: Persistence<EngineError>): Promise<T> =>
  persistWith(asEngineError, task, how)
