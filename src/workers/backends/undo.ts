/**
 * Waits for something that leaves traces, but not longer than its client: when the signal is aborted first, what comes
 * out later is handed to `undo`, and the worker waits for that at its end.
 */
export function orUndo<T>(
  cleanup: { track(task: Promise<unknown>): void },
  making: Promise<T>,
  signal: AbortSignal,
  undo: (made: T) => Promise<void>,
  left: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      reject(left())
      cleanup.track(making.then(undo))
    }
    if (signal.aborted) return leave()
    signal.addEventListener('abort', leave, { once: true })
    making.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}
