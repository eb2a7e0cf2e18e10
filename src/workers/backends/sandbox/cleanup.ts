/** What goes on without its owner, such as the end of a sandbox: the worker waits for it at its end. */
import { within } from '../../../shared/deadline.ts'

export interface Cleanup extends AsyncDisposable {
  track(task: Promise<unknown>): void
}

export function createCleanup(timeoutMs: number): Cleanup {
  const pending = new Set<Promise<unknown>>()
  return {
    track(task) {
      const settled = task.catch(() => undefined).then(() => void pending.delete(settled))
      pending.add(settled)
    },
    async [Symbol.asyncDispose]() {
      const all = async (): Promise<void> => {
        while (pending.size > 0) await Promise.all(pending)
      }
      await within('the end of sandboxes', timeoutMs, undefined, all).catch(() => undefined) // told by each of them
    },
  }
}
