/** The pools of an engine, by profile. Each worker has its own: a container that is given out needs no agreement of others. */
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import type { Furnished } from './furnish.ts'
import { createPool, type Pool, type PoolSize } from './pool.ts'
import { profileOf } from './pool-profile.ts'
import type { Room } from './room.ts'

export interface Pools extends AsyncDisposable {
  /** Begins to fill the pool of this room's profile, which from then on stays until the end. */
  keep(room: Room): void
  /** A container that runs, for one connection; undefined: it has to make its own. Never rejects. */
  claim(room: Room, who: Occupant, log: Log, signal: AbortSignal): Promise<Furnished | undefined>
  /** Every now and then: what nobody needs any more is removed. */
  tend(): Promise<void>
}

/** `workers`: among whom the configured numbers are divided. */
export function createPools(workers: number, log: Log): Pools {
  const pools = new Map<string, Pool>()
  const kept = new Set<string>()
  const ending = new Set<Promise<void>>()
  let closed = false

  const end = (profile: string, pool: Pool): void => {
    pools.delete(profile)
    const ended: Promise<void> = Promise.resolve(pool[Symbol.asyncDispose]()).then(() => void ending.delete(ended))
    ending.add(ended)
  }
  const poolOf = (room: Room): Pool | undefined => {
    const profile = closed ? undefined : profileOf(room.settings)
    if (profile === undefined) return undefined
    const pool = pools.get(profile) ?? createPool(room, profile, shareOf(room, workers), log)
    // Again, so that those that nobody logs in to are the first ones.
    pools.delete(profile)
    pools.set(profile, pool)
    const strangers = [...pools].filter(([name]) => !kept.has(name))
    const [oldest] = strangers
    if (oldest !== undefined && strangers.length > room.settings.pool.profiles) end(...oldest)
    return pool
  }
  return {
    keep(room) {
      const profile = profileOf(room.settings)
      if (profile === undefined) return
      kept.add(profile)
      poolOf(room)
    },
    async claim(room, who, log, signal) {
      return poolOf(room)?.claim(who, log, signal)
    },
    async tend() {
      for (const [profile, pool] of pools) if (pool.isIdle && !kept.has(profile)) end(profile, pool)
      await Promise.all([...pools.values()].map((pool) => pool.tend()))
    },
    async [Symbol.asyncDispose]() {
      closed = true
      for (const [profile, pool] of pools) end(profile, pool)
      await Promise.all(ending)
    },
  }
}

/** Connections go to the worker that has the fewest, so equal shares are what they find. */
function shareOf({ settings: { pool } }: Room, workers: number): PoolSize {
  const min = Math.ceil(pool.min / workers)
  return { min, max: Math.max(min, Math.ceil(pool.max / workers)), idleLifeMs: pool.idleLife }
}
