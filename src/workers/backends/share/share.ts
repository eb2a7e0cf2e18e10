/** Containers or pods that several connections live in, on whichever workers these are: coming, staying and leaving. */
import { Fault } from '../../../shared/codes/fault.ts'
import { sleep, within } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Register, ShareSettings, Visit } from './register.ts'

export interface Stay {
  /** Of the container or pod. */
  readonly id: string
  /** Once; in the background, and never rejects. */
  leave(): void
}

export interface Joining<M> {
  readonly share: string
  readonly connectionId: string
  readonly settings: ShareSettings
  /** Of the connection: how one is made if there is none. */
  readonly make: M
}

export interface Shares<M> extends AsyncDisposable {
  /** @throws Fault */
  join(who: Joining<M>, log: Log, signal: AbortSignal): Promise<Stay>
  /** Those that nobody is in, though nobody said so; gives the number of those removed. @throws the room's error */
  tend(log: Log, signal: AbortSignal): Promise<number>
}

const LEAVE_MS = 30_000

export function createShares<M>(register: Register<M>): Shares<M> {
  const leaving = new Set<Promise<void>>()
  const closing = new AbortController()

  const leave = (visit: Visit, lingerMs: number, log: Log): void => {
    const settled = depart(register, visit, lingerMs, closing.signal, log).finally(() => leaving.delete(settled))
    leaving.add(settled)
  }
  return {
    async join({ share, connectionId, settings, make }, log, signal) {
      const { maxConnections, linger } = settings
      const visit: Visit = { share, connectionId, id: '' }
      try {
        const connections = await register.enter(visit, maxConnections, make, log, signal)
        if (connections === undefined) throw register.tell.full(maxConnections)
        register.tell.joined(visit, connections, log)
      } catch (error) {
        leave(visit, 0, log)
        throw error instanceof Fault ? error : register.tell.failed(error)
      }
      let left = false
      return {
        id: visit.id,
        leave() {
          if (!left) leave(visit, linger, log)
          left = true
        },
      }
    },
    async tend(log, signal) {
      let removed = 0
      for (const place of await register.unused(signal)) {
        if (await register.endUnused(place, log, signal)) removed += 1
      }
      return removed
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      while (leaving.size > 0) await Promise.all(leaving)
    },
  }
}

/** Never rejects. `closing` cuts the lingering short. */
async function depart<M>(
  register: Register<M>,
  visit: Visit,
  lingerMs: number,
  closing: AbortSignal,
  log: Log,
): Promise<void> {
  const lingers = lingerMs > 0 && !closing.aborted
  const limited = (task: (signal: AbortSignal) => Promise<void>): Promise<void> =>
    within('leaving what is shared', LEAVE_MS, undefined, task)
  try {
    await limited((signal) => register.leave(visit, lingers, log, signal))
    if (lingers) await sleep(lingerMs, closing)
    await limited(async (signal) => {
      if (lingers) await register.stopLingering(visit, log, signal)
      if (visit.id !== '') await register.endUnused(visit, log, signal)
    })
  } catch (error) {
    // What is left the reaper finds: what is known of us and is not true any more, and what nobody is in.
    register.tell.leaveFailed(visit, error, log)
  }
}
