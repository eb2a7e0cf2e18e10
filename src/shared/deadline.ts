/** Time limits. Every wait of the daemon goes through here, so that it can be cancelled and never keeps the process alive. */
import { setTimeout as timer } from 'node:timers/promises'

/** Rejected with by `within()` when the time is over. */
export class DeadlineError extends Error {
  readonly afterMs: number
  constructor(what: string, afterMs: number) {
    super(`${what} took longer than ${afterMs} ms`)
    this.name = 'DeadlineError'
    this.afterMs = afterMs
  }
}

/** Waits. Resolves early, without an error, when the signal is aborted: look at `signal.aborted` to tell. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await timer(ms, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    if (signal?.aborted !== true) throw error
  }
}

/** Resolves when the signal is aborted; at once, if it is. */
export const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })

/**
 * Runs `task` with a signal that is aborted after `ms` or together with `parent`, and stops waiting for it then, even
 * when the task ignores its signal.
 * @throws DeadlineError after `ms`; the parent's reason when the parent was aborted first.
 */
export async function within<T>(
  what: string,
  ms: number,
  parent: AbortSignal | undefined,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const expire = setTimeout(() => controller.abort(new DeadlineError(what, ms)), ms)
  const cancel = (): void => controller.abort(parent?.reason)
  const aborted = Promise.withResolvers<never>()
  controller.signal.addEventListener('abort', () => aborted.reject(controller.signal.reason), { once: true })
  try {
    if (parent?.aborted === true) cancel()
    else parent?.addEventListener('abort', cancel, { once: true })
    controller.signal.throwIfAborted()
    return await Promise.race([task(controller.signal), aborted.promise])
  } finally {
    clearTimeout(expire)
    parent?.removeEventListener('abort', cancel)
    aborted.promise.catch(() => undefined)
  }
}
