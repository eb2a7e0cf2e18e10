/**
 * Containers of one profile that run already and wait for somebody. One is given out once, to one connection, and ends
 * with it like any other. Its labels cannot be changed any more: whose it became is told by its name, which from then on
 * is `containerssh_` and the connection's id, and what a container gets for its user when it is made, his environment,
 * is given to each program instead.
 */
import { asFault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import type { Plan } from '../guest/plan.ts'
import { type ContainerExtras, startContainer } from './container.ts'
import { asEngineError } from './failure.ts'
import { type Furnished, furnish } from './furnish.ts'
import { idling } from './idle.ts'
import { createFiller } from './pool-filler.ts'
import { createStock, type Ready } from './pool-stock.ts'
import { label, type Room } from './room.ts'

export interface Pool extends AsyncDisposable {
  /** One that runs, for good; undefined: none is ready, and from now on more are kept. Never rejects. */
  claim(who: Occupant, log: Log, signal: AbortSignal): Promise<Furnished | undefined>
  /** Every now and then: what has become too many, or was made of an image that has another name now, is removed. */
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

/** A login that was served should not share the machine with the making of the next container. */
const AFTER_CLAIM_MS = 500
const ASK_MS = 5000
/** Not there, or being removed. */
const GONE: ReadonlySet<number> = new Set([404, 409])

export function createPool(room: Room, profile: string, { min, max, idleLifeMs }: PoolSize, log: Log): Pool {
  let wanted = min
  let usedAt = performance.now()
  let missedAt = Number.NEGATIVE_INFINITY
  const closing = new AbortController()
  const stock = createStock(room, () => filler.soon(0), log)
  const filler = createFiller({
    missing: () => wanted - stock.size,
    async make(signal) {
      const made = await makeAhead(room, profile, log, signal)
      stock.put(made)
      log.emit('DOCKER_POOL_FILLED', { containerId: made.containerId, profile, ready: stock.size })
    },
    failed: (error) => log.emit('DOCKER_POOL_FILL_FAILED', { profile }, { cause: asFault(error) }),
  })
  filler.soon(0)
  return {
    async claim(who, log, signal) {
      usedAt = performance.now()
      const one = await stock.take(log, signal)
      if (one === undefined) {
        missedAt = usedAt
        wanted = Math.min(wanted + 1, max)
        log.emit('DOCKER_POOL_EMPTY', { profile })
      } else {
        log.emit('DOCKER_POOL_CLAIMED', { containerId: one.containerId, ready: stock.size })
        room.cleanup.track(mark(room, one.containerId, who, log, closing.signal))
      }
      filler.soon(AFTER_CLAIM_MS)
      return one
    },
    async tend() {
      if (performance.now() - missedAt > idleLifeMs) wanted = min
      const imageId = await room.images.id(AbortSignal.timeout(ASK_MS)).catch(() => undefined)
      const isStale = (one: Ready): boolean => imageId !== undefined && one.imageId !== imageId
      const fresh = stock.list().filter((one) => !isStale(one))
      const surplus = fresh.slice(0, Math.max(0, fresh.length - wanted))
      await Promise.all(
        [...stock.list().filter(isStale), ...surplus].map(({ containerId }) => stock.remove(containerId)),
      )
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

/** @throws Fault */
async function makeAhead(room: Room, profile: string, log: Log, signal: AbortSignal): Promise<Ready> {
  const image = await room.images.ensure(log, signal)
  const deadline = AbortSignal.timeout(room.settings.timeouts.containerStart)
  const extrasOf = (plan: Plan): ContainerExtras => ({ ...idling(plan), labels: { [label.pool]: profile } })
  const made = await furnish(room, undefined, image, extrasOf, log, signal, deadline)
  try {
    await startContainer(room, made.containerId, log, signal, deadline, true)
    signal.throwIfAborted()
    return { ...made, imageId: image?.id }
  } catch (error) {
    room.cleanup.track(room.cleanup.remove(made.containerId, log))
    throw error
  }
}

/** Whose it became. Later, because it would stand in the way of the first program. */
async function mark(
  room: Room,
  containerId: string,
  { peer }: Occupant,
  log: Log,
  closing: AbortSignal,
): Promise<void> {
  await sleep(AFTER_CLAIM_MS, closing)
  try {
    await room.engine.renameContainer(containerId, `containerssh_${peer.connectionId}`, AbortSignal.timeout(ASK_MS))
  } catch (thrown) {
    const error = asEngineError(thrown)
    // The user may be gone already, and his container with him.
    if (GONE.has(error.statusCode)) return
    log.emit('DOCKER_POOL_RENAME_FAILED', { containerId, reason: error.message })
  }
}
