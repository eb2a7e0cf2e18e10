/**
 * Containers or pods of one profile that run already and wait for somebody. One is given out once, to one connection, and
 * ends with it like any other.
 */
import type { Log } from '../../../shared/log.ts'
import { count } from '../../../shared/metric.ts'
import type { Occupant } from '../../ports.ts'
import { createFiller } from './filler.ts'
import type { Nursery } from './nursery.ts'
import { createStock } from './stock.ts'

export interface Pool<T> extends AsyncDisposable {
  /** One that runs, for good; undefined: none is ready, and from now on more are kept. Never rejects. */
  claim(who: Occupant, log: Log, signal: AbortSignal): Promise<T | undefined>
  /** Every now and then: what has become too many, or would be made in another way now, is removed. */
  tend(): Promise<void>
  /** Nobody has come for `idleLifeMs`. */
  readonly isIdle: boolean
}

/** Of this worker: each has its share of what is configured. */
export interface PoolSize {
  readonly min: number
  readonly max: number
  readonly idleLifeMs: number
}

/** `closing` is aborted when the pool ends; `nurse` is called once. */
export function createPool<T extends object>(
  nurse: (closing: AbortSignal) => Nursery<T>,
  { min, max, idleLifeMs }: PoolSize,
  log: Log,
): Pool<T> {
  let wanted = min
  let usedAt = performance.now()
  let missedAt = Number.NEGATIVE_INFINITY
  const closing = new AbortController()
  const nursery = nurse(closing.signal)
  const stock = createStock(nursery, () => filler.soon(0), log)
  const filler = createFiller({
    missing: () => wanted - stock.size,
    async make(signal) {
      const made = await nursery.make(signal)
      stock.put(made)
      nursery.tell.filled(made, stock.size)
    },
    failed: nursery.tell.fillFailed,
  })
  filler.soon(0)
  return {
    async claim(who, log, signal) {
      usedAt = performance.now()
      const one = await stock.take(who, log, signal)
      count('containerssh_pool_claims_total', { result: one === undefined ? 'miss' : 'hit' })
      if (one === undefined) {
        missedAt = usedAt
        wanted = Math.min(wanted + 1, max)
        nursery.tell.empty(log)
      } else {
        nursery.tell.claimed(one, stock.size, log)
      }
      filler.claimed()
      return one
    },
    async tend() {
      if (performance.now() - missedAt > idleLifeMs) wanted = min
      const stale = new Set(await nursery.stale(stock.list()))
      const fresh = stock.list().filter((one) => !stale.has(one))
      const surplus = fresh.slice(0, Math.max(0, fresh.length - wanted))
      await Promise.all([...stale, ...surplus].map((one) => stock.remove(one)))
      filler.soon(0)
    },
    get isIdle() {
      return performance.now() - usedAt > idleLifeMs
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      await filler[Symbol.asyncDispose]()
      await stock[Symbol.asyncDispose]()
    },
  }
}
