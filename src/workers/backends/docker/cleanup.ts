/** Containers that have to go. Removal is never lost: it is tried in the background and the worker waits for it at its end. */

import { asFault, fault } from '../../../shared/codes/fault.ts'
import { sleep, within } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Turns } from '../../../shared/turns.ts'
import type { Engine } from './engine.ts'
import { asEngineError, persist } from './failure.ts'
import { label } from './room.ts'

export interface Cleanup extends AsyncDisposable {
  /**
   * Removes a container, running or not, with a deadline of its own. Never rejects; a failure is in the log.
   * `isAwaited`: a login goes on when it is gone.
   */
  remove(containerId: string, log: Log, isAwaited?: boolean): Promise<void>
  /** Of the removals that others make: not more at a time than the engine can bear. */
  inTurn<T>(task: () => Promise<T>): Promise<T>
  /** Removes the container of a creation whose answer did not come. Never rejects. */
  sweep(creation: string, log: Log): Promise<void>
  /** Has the worker wait for something at its end that goes on without its owner. */
  track(task: Promise<unknown>): void
  /** The same with another deadline for removals. */
  lasting(timeoutMs: number): Cleanup
  /** Could not be removed: the reaper tries again. */
  abandon(containerId: string): void
  /** Containers that could not be removed in time; for the next round of the reaper. */
  takeAbandoned(): readonly string[]
}

/** An engine that does not get on with one container must not keep the others. */
const TURN_MS = 5000
/** A creation that was given up may still be under way in the engine. */
const SWEEP_AFTER_MS = [0, 1000, 5000] as const

interface Duties {
  readonly pending: Set<Promise<unknown>>
  readonly abandoned: Set<string>
}

/** `removals`: an engine that is asked to remove many at once is done with none sooner, and with nothing else. */
export function createCleanup(
  engine: Engine,
  timeoutMs: number,
  removals: Turns,
  duties: Duties = { pending: new Set(), abandoned: new Set() },
): Cleanup {
  const { pending, abandoned } = duties
  const track = (task: Promise<unknown>): void => {
    const settled = task.catch(() => undefined).then(() => void pending.delete(settled))
    pending.add(settled)
  }
  const inTurn = async <T>(task: () => Promise<T>, isAwaited = false): Promise<T> => {
    // More than can wait are not worth waiting for either.
    if (!(await removals.enter(undefined, !isAwaited))) return task()
    const over = new AbortController()
    void sleep(TURN_MS, over.signal).then(removals.leave)
    return task().finally(() => over.abort())
  }
  const removeNow = async (containerId: string, log: Log): Promise<void> => {
    log.emit('DOCKER_CONTAINER_REMOVE', { containerId })
    const deadline = AbortSignal.timeout(timeoutMs)
    try {
      await persist(() => removeOrGone(engine, containerId, deadline), {
        signal: deadline,
        // A conflict is another removal under way: the next try finds the container gone.
        permanent: (error) => error.permanent && error.statusCode !== 409,
        retrying: (labels) => log.emit('DOCKER_CONTAINER_REMOVE_FAILED', { containerId, ...labels }),
        failed: (labels, cause) =>
          fault('DOCKER_CONTAINER_REMOVE_FAILED', { containerId, ...labels }, { cause, level: 'error' }),
      })
      log.emit('DOCKER_CONTAINER_REMOVE_SUCCESSFUL', { containerId })
    } catch (error) {
      abandoned.add(containerId)
      log.fault(asFault(error))
    }
  }
  const remove = (containerId: string, log: Log, isAwaited = false): Promise<void> => {
    const task = inTurn(() => removeNow(containerId, log), isAwaited)
    track(task)
    return task
  }
  const sweepNow = async (creation: string, log: Log): Promise<void> => {
    for (const pauseMs of SWEEP_AFTER_MS) {
      await sleep(pauseMs)
      const found = await within('sweep', timeoutMs, undefined, (signal) =>
        engine.listContainers(`${label.creation}=${creation}`, signal),
      ).catch(() => []) // no engine: the next round, or the reaper
      for (const { Id } of found) await remove(Id, log)
      if (found.length > 0) return // one creation, one container
    }
  }
  return {
    remove,
    inTurn,
    track,
    sweep(creation, log) {
      const task = sweepNow(creation, log)
      track(task)
      return task
    },
    lasting: (otherMs) => createCleanup(engine, otherMs, removals, duties),
    abandon: (containerId) => void abandoned.add(containerId),
    takeAbandoned() {
      const taken = [...abandoned]
      abandoned.clear()
      return taken
    },
    async [Symbol.asyncDispose]() {
      const all = async (): Promise<void> => {
        while (pending.size > 0) await Promise.all(pending)
      }
      await within('the removal of containers', timeoutMs, undefined, all).catch(() => undefined)
    },
  }
}

/** False: it was gone. Engines list some that they do not have any more. @throws EngineError */
export async function removeOrGone(engine: Engine, containerId: string, signal: AbortSignal): Promise<boolean> {
  try {
    await engine.removeContainer(containerId, signal)
    return true
  } catch (error) {
    if (asEngineError(error).statusCode !== 404) throw error
    return false
  }
}
