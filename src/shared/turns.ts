/** Work of which only so much may be going on at a time. Others wait in a queue that is bounded too. */

export interface Turns {
  /**
   * True: it is the caller's turn until it calls `leave`. False: the queue is full, or the signal was aborted first.
   * First come, first served; who is `patient` comes when nobody else waits.
   */
  enter(signal: AbortSignal | undefined, patient?: boolean): Promise<boolean>
  leave(): void
}

export const createTurns = (concurrency: number, waiting: number): Turns => {
  let running = 0
  const queue = new Set<(mine: boolean) => void>()
  const patientQueue = new Set<(mine: boolean) => void>()
  return {
    enter(signal, patient = false) {
      if (running < concurrency) {
        running += 1
        return Promise.resolve(true)
      }
      if (queue.size + patientQueue.size >= waiting || signal?.aborted === true) return Promise.resolve(false)
      const mine = patient ? patientQueue : queue
      return new Promise((resolve) => {
        const settle = (isMine: boolean): void => {
          mine.delete(settle)
          signal?.removeEventListener('abort', cancel)
          resolve(isMine)
        }
        const cancel = (): void => settle(false)
        signal?.addEventListener('abort', cancel, { once: true })
        mine.add(settle)
      })
    },
    leave() {
      const [next] = queue.size > 0 ? queue : patientQueue
      if (next === undefined) running -= 1
      else next(true)
    },
  }
}
