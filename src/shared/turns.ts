/** Work of which only so much may be going on at a time. Others wait in a queue that is bounded too. */

export interface Turns {
  /** True: it is the caller's turn until it calls `leave`. False: the queue is full, or the signal was aborted first. */
  enter(signal: AbortSignal | undefined): Promise<boolean>
  leave(): void
}

export const createTurns = (concurrency: number, waiting: number): Turns => {
  let running = 0
  const queue = new Set<(mine: boolean) => void>()
  return {
    enter(signal) {
      if (running < concurrency) {
        running += 1
        return Promise.resolve(true)
      }
      if (queue.size >= waiting || signal?.aborted === true) return Promise.resolve(false)
      return new Promise((resolve) => {
        const settle = (mine: boolean): void => {
          queue.delete(settle)
          signal?.removeEventListener('abort', cancel)
          resolve(mine)
        }
        const cancel = (): void => settle(false)
        signal?.addEventListener('abort', cancel, { once: true })
        queue.add(settle)
      })
    },
    leave() {
      const [next] = queue
      if (next === undefined) running -= 1
      else next(true)
    },
  }
}
