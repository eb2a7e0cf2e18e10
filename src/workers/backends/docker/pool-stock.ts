/** Containers that wait for somebody, as long as they run. */
import type { Log } from '../../../shared/log.ts'
import { asEngineError } from './failure.ts'
import type { Furnished } from './furnish.ts'
import type { Room } from './room.ts'

export interface Ready extends Furnished {
  /** That it was made of. */
  readonly imageId: string | undefined
}

export interface Stock extends AsyncDisposable {
  readonly size: number
  put(one: Ready): void
  /** One that runs, for good; undefined: there is none, or the engine does not tell. Never rejects. */
  take(log: Log, signal: AbortSignal): Promise<Ready | undefined>
  /** In the order in which they came. */
  list(): readonly Ready[]
  remove(containerId: string): Promise<void>
}

const ASK_MS = 5000

/** `lost`: one has ended before somebody came. */
export function createStock({ engine, ends, cleanup }: Room, lost: () => void, log: Log): Stock {
  /** By container; the value ends the watching. */
  const ready = new Map<Ready, () => void>()
  let closed = false

  /** False: it is not here any more. */
  const leave = (one: Ready): boolean => {
    ready.get(one)?.()
    return ready.delete(one)
  }
  const discard = (one: Ready): Promise<void> => {
    log.emit('DOCKER_POOL_CONTAINER_LOST', { containerId: one.containerId })
    return cleanup.remove(one.containerId, log)
  }
  const died = (one: Ready): void => {
    if (leave(one)) void discard(one).then(lost)
  }
  const isRunning = async ({ containerId }: Ready, signal: AbortSignal): Promise<boolean> => {
    try {
      const { Running, Paused } = await engine.containerState(containerId, signal)
      return Running && !Paused
    } catch (error) {
      if (asEngineError(error).statusCode === 404) return false
      throw error
    }
  }
  const check = async (one: Ready): Promise<void> => {
    const runs = await isRunning(one, AbortSignal.timeout(ASK_MS)).catch(() => true) // asked again when somebody comes
    if (!runs) died(one)
  }
  const put = (one: Ready): void => {
    ready.set(one, ends.watch(one.containerId, { exited: () => died(one), missed: () => void check(one) }))
  }
  return {
    get size() {
      return ready.size
    },
    put,
    async take(log, signal) {
      for (const one of ready.keys()) {
        leave(one)
        try {
          if (await isRunning(one, AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]))) return one
          cleanup.track(discard(one))
        } catch {
          // Nobody has used it; the login finds out by itself what is wrong with the engine.
          if (closed) cleanup.track(cleanup.remove(one.containerId, log))
          else put(one)
          return undefined
        }
      }
      return undefined
    },
    list: () => [...ready.keys()],
    async remove(containerId) {
      const one = [...ready.keys()].find((each) => each.containerId === containerId)
      if (one !== undefined && leave(one)) await cleanup.remove(containerId, log)
    },
    async [Symbol.asyncDispose]() {
      closed = true
      const all = [...ready.keys()].filter(leave)
      await Promise.all(all.map(({ containerId }) => cleanup.remove(containerId, log)))
    },
  }
}
