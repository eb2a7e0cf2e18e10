/** Those that wait for somebody, as long as they run. */
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import type { Nursery } from './nursery.ts'

export interface Stock<T> extends AsyncDisposable {
  readonly size: number
  put(one: T): void
  /** One that runs, for good; undefined: there is none, or nobody can tell. Never rejects. */
  take(who: Occupant, log: Log, signal: AbortSignal): Promise<T | undefined>
  /** In the order in which they came. */
  list(): readonly T[]
  remove(one: T): Promise<void>
}

const ASK_MS = 5000

let readyInProcess = 0
/** In all stocks of this process. */
export const readyCount = (): number => readyInProcess

/** `lost`: one has ended before somebody came. */
export function createStock<T extends object>(nursery: Nursery<T>, lost: () => void, log: Log): Stock<T> {
  /** The value ends the watching. */
  const ready = new Map<T, () => void>()
  let closed = false

  /** False: it is not here any more. */
  const leave = (one: T): boolean => {
    ready.get(one)?.()
    const isHere = ready.delete(one)
    if (isHere) readyInProcess -= 1
    return isHere
  }
  const discard = (one: T, log: Log): Promise<void> => {
    nursery.tell.lost(one, log)
    return nursery.remove(one, log)
  }
  const died = (one: T): void => {
    if (leave(one)) void discard(one, log).then(lost)
  }
  const check = async (one: T): Promise<void> => {
    const runs = await nursery.isRunning(one, AbortSignal.timeout(ASK_MS)).catch(() => true) // asked again when somebody comes
    if (!runs) died(one)
  }
  const put = (one: T): void => {
    readyInProcess += 1
    ready.set(one, nursery.watch(one, { ended: () => died(one), missed: () => void check(one) }))
  }
  return {
    get size() {
      return ready.size
    },
    put,
    async take(who, log, signal) {
      for (const one of ready.keys()) {
        leave(one)
        try {
          if (await nursery.give(one, who, log, AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]))) return one
          void discard(one, log)
        } catch {
          // Nobody has used it; the login finds out by itself what is wrong.
          if (closed) void nursery.remove(one, log)
          else put(one)
          return undefined
        }
      }
      return undefined
    },
    list: () => [...ready.keys()],
    async remove(one) {
      if (leave(one)) await nursery.remove(one, log)
    },
    async [Symbol.asyncDispose]() {
      closed = true
      const all = [...ready.keys()].filter(leave)
      await Promise.all(all.map((one) => nursery.remove(one, log)))
    },
  }
}
