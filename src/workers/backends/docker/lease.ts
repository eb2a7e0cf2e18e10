/**
 * How others can tell that a process is alive of which they see nothing but its containers, because it runs on another
 * machine or in a container of its own. The engine is all that both know, and the labels of what it keeps cannot be
 * changed; so a lease is an empty volume, and it is renewed by making the next one and removing the one before. Whoever
 * looks from time to time and sees the same, or nothing, too many times in a row knows that nobody renews it. No clock is
 * compared with another, and while the engine is away nobody looks.
 */
import { asFault } from '../../../shared/codes/fault.ts'
import { within } from '../../../shared/deadline.ts'
import { type Identity, ownerState } from '../../../shared/identity.ts'
import type { Log } from '../../../shared/log.ts'
import type { Engine } from './engine.ts'
import { asEngineError } from './failure.ts'
import { label } from './room.ts'

export interface Lease extends AsyncDisposable {
  /** Others see that we are alive. Settled once it has been tried for the first time. */
  isHeld(): Promise<boolean>
  /** Nobody renews this owner's lease. False for those about whom too little has been seen yet. */
  isGone(owner: string): boolean
  /** One round: renews ours and looks at those of others. Never rejects. */
  renew(): Promise<void>
}

/** Between rounds. */
export const RENEW_MS = 20_000
/** Rounds in which nothing changed: with one renewal that failed and one that came just after the look, a minute and more. */
const MOST_MISSES = 5
const ROUND_MS = 15_000
/** Of owners that are watched. */
const MOST_WATCHED = 1000

interface Watched {
  seen: string
  misses: number
}

/** Looks at the leases of all owners. */
interface Watch {
  isGone(owner: string): boolean
  /** `mine`: of this owner's leases the one that is valid; what nobody renews is removed. @throws EngineError */
  look(mine: string | undefined, signal: AbortSignal): Promise<void>
}

function createWatch(engine: Engine, owner: string): Watch {
  const watched = new Map<string, Watched>()
  const watch = (who: string): Watched => {
    const known = watched.get(who) ?? { seen: '', misses: 0 }
    if (watched.size < MOST_WATCHED) watched.set(who, known)
    return known
  }
  const isGone = (who: string): boolean => watch(who).misses >= MOST_MISSES
  return {
    isGone,
    async look(mine, signal) {
      const volumes = await engine.listVolumes(label.lease, signal)
      const byOwner = Map.groupBy(volumes, ({ Labels }) => Labels[label.lease] ?? '')
      for (const [who, one] of watched) {
        const seen = (byOwner.get(who) ?? []).map(({ Name }) => Name).join(' ')
        one.misses = seen !== '' && seen !== one.seen ? 0 : one.misses + 1
        one.seen = seen
      }
      for (const [who, held] of byOwner) {
        const isOver = who !== owner && (ownerState(who) === 'dead' || isGone(who))
        const old = held.filter(({ Name }) => (who === owner ? Name !== mine : isOver))
        for (const { Name } of old) await engine.removeVolume(Name, signal).catch(() => undefined) // others look too
      }
    },
  }
}

export function createLease(engine: Engine, { owner }: Identity, log: Log): Lease {
  const watch = createWatch(engine, owner)
  let number = 0
  let mine: string | undefined
  let rounds = Promise.resolve()
  const tried = Promise.withResolvers<void>()

  const round = async (signal: AbortSignal): Promise<void> => {
    number += 1
    const next = `containerssh_lease_${owner}_${number}`
    await engine.createVolume(next, { [label.lease]: owner }, signal)
    const last = mine
    mine = next
    if (last !== undefined) await engine.removeVolume(last, signal)
    await watch.look(mine, signal)
  }
  const renew = async (): Promise<void> => {
    try {
      await within('renewing the lease', ROUND_MS, undefined, round)
    } catch (error) {
      log.emit('DOCKER_LEASE_FAILED', {}, { cause: asFault(asEngineError(error)) })
    }
    tried.resolve()
  }
  return {
    async isHeld() {
      await tried.promise
      return mine !== undefined
    },
    isGone: watch.isGone,
    renew() {
      rounds = rounds.then(renew)
      return rounds
    },
    async [Symbol.asyncDispose]() {
      await rounds
      const last = mine
      mine = undefined
      if (last === undefined) return
      await within('giving up the lease', ROUND_MS, undefined, (signal) => engine.removeVolume(last, signal)).catch(
        () => undefined, // others remove it when they see that it is not renewed
      )
    },
  }
}
