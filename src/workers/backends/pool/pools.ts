/** The pools of an engine or cluster, by profile. Each worker has its own: one that is given out needs no agreement of others. */
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import type { PoolKind, PoolSettings } from './nursery.ts'
import { createPool, type Pool, type PoolSize } from './pool.ts'

export interface Pools<R, T> extends AsyncDisposable {
  /** Begins to fill the pool of this room's profile, which from then on stays until the end. */
  keep(room: R): void
  /** One that runs, for one connection; undefined: it has to make its own. Never rejects. */
  claim(room: R, who: Occupant, log: Log, signal: AbortSignal): Promise<T | undefined>
  /** Every now and then: what nobody needs any more is removed. */
  tend(): Promise<void>
}

/** `workers`: among whom the configured numbers are divided. */
export function createPools<R, T extends object>(kind: PoolKind<R, T>, workers: number, log: Log): Pools<R, T> {
  const pools = new Map<string, Pool<T>>()
  const kept = new Set<string>()
  const ending = new Set<Promise<void>>()
  let closed = false

  const end = (profile: string, pool: Pool<T>): void => {
    pools.delete(profile)
    const ended: Promise<void> = Promise.resolve(pool[Symbol.asyncDispose]()).then(() => void ending.delete(ended))
    ending.add(ended)
  }
  const make = (room: R, profile: string): Pool<T> =>
    createPool((closing) => kind.nursery(room, profile, closing), shareOf(kind.settings(room), workers), log)
  const poolOf = (room: R): Pool<T> | undefined => {
    const profile = closed ? undefined : kind.profile(room)
    if (profile === undefined) return undefined
    const pool = pools.get(profile) ?? make(room, profile)
    // Again, so that those that nobody logs in to are the first ones.
    pools.delete(profile)
    pools.set(profile, pool)
    const strangers = [...pools].filter(([name]) => !kept.has(name))
    const [oldest] = strangers
    if (oldest !== undefined && strangers.length > kind.settings(room).profiles) end(...oldest)
    return pool
  }
  return {
    keep(room) {
      const profile = kind.profile(room)
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
function shareOf(pool: PoolSettings, workers: number): PoolSize {
  const min = Math.ceil(pool.min / workers)
  return { min, max: Math.max(min, Math.ceil(pool.max / workers)), idleLifeMs: pool.idleLife }
}
