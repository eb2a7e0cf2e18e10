/**
 * Containers of one profile that run already and wait for somebody. One is given out once, to one connection, and ends
 * with it like any other. Its labels cannot be changed any more: whose it became is told by its name, which from then on
 * is `containerssh_` and the connection's id, and what a container gets for its user when it is made, his environment,
 * is given to each program instead.
 */
import { asFault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { backoff } from '../../../shared/retry.ts'
import type { Occupant } from '../../ports.ts'
import { type ContainerExtras, startContainer } from './container.ts'
import { asEngineError } from './failure.ts'
import { type Furnished, furnish } from './furnish.ts'
import { idling } from './idle.ts'
import type { Plan } from './plan.ts'
import { label, type Room } from './room.ts'

export interface Pool extends AsyncDisposable {
  /** One that runs, for good; undefined: none is ready, and from now on more are kept. Never rejects. */
  claim(who: Occupant, log: Log, signal: AbortSignal): Promise<Furnished | undefined>
  /** Containers made from now on are those of this room. */
  use(room: Room): void
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

interface Ready extends Furnished {
  readonly imageId: string | undefined
  unwatch(): void
}

/** A login that was served should not share the machine with the making of the next container. */
const AFTER_CLAIM_MS = 500
const ASK_MS = 5000
/** Not there, or being removed. */
const GONE: ReadonlySet<number> = new Set([404, 409])
/** A profile's part in the turns for starts, and in what the creating costs before. */
const MOST_FILLING = 4

export function createPool(first: Room, profile: string, { min, max, idleLifeMs }: PoolSize, log: Log): Pool {
  let room = first
  let wanted = min
  let filling = 0
  let usedAt = performance.now()
  let missedAt = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  const ready = new Set<Ready>()
  const making = new Set<Promise<void>>()
  const closing = new AbortController()
  const pauses = backoff(1000, 30_000)

  const drop = async (one: Ready): Promise<void> => {
    if (!ready.delete(one)) return
    one.unwatch()
    await room.cleanup.remove(one.containerId, log)
  }
  const isRunning = async (containerId: string, signal: AbortSignal): Promise<boolean> => {
    try {
      const { Running, Paused } = await room.engine.containerState(containerId, signal)
      return Running && !Paused
    } catch (error) {
      if (asEngineError(error).statusCode === 404) return false
      throw error
    }
  }
  const died = (one: Ready): void => {
    if (!ready.has(one)) return
    log.emit('DOCKER_POOL_CONTAINER_LOST', { containerId: one.containerId })
    void drop(one).then(() => fillSoon(0))
  }
  const check = async (one: Ready): Promise<void> => {
    const runs = await isRunning(one.containerId, AbortSignal.timeout(ASK_MS)).catch(() => true) // asked again when it is claimed
    if (!runs) died(one)
  }
  const make = async (): Promise<void> => {
    const { signal } = closing
    const own = room
    const image = await own.images.ensure(log, signal)
    const deadline = AbortSignal.timeout(own.settings.timeouts.containerStart)
    const extrasOf = (plan: Plan): ContainerExtras => ({ ...idling(plan), labels: { [label.pool]: profile } })
    const { containerId, plan } = await furnish(own, undefined, image, extrasOf, log, signal, deadline)
    try {
      await startContainer(own, containerId, log, signal, deadline, true)
      signal.throwIfAborted()
      keep({ containerId, plan, imageId: image?.id, unwatch: () => undefined })
    } catch (error) {
      own.cleanup.track(own.cleanup.remove(containerId, log))
      throw error
    }
  }
  const keep = (made: Ready): void => {
    const one = { ...made }
    one.unwatch = room.ends.watch(made.containerId, { exited: () => died(one), missed: () => void check(one) })
    ready.add(one)
    log.emit('DOCKER_POOL_FILLED', { containerId: one.containerId, profile, ready: ready.size })
  }
  const makeOne = async (): Promise<void> => {
    filling += 1
    let pauseMs = 0
    try {
      await make()
      pauses.reset()
    } catch (error) {
      if (closing.signal.aborted) return
      pauseMs = pauses.next()
      // One record for all that are being made at the same time.
      if (timer === undefined) log.emit('DOCKER_POOL_FILL_FAILED', { profile }, { cause: asFault(error) })
    } finally {
      filling -= 1
    }
    fillSoon(pauseMs)
  }
  const fill = (): void => {
    timer = undefined
    while (filling < MOST_FILLING && ready.size + filling < wanted) {
      const task: Promise<void> = makeOne().finally(() => making.delete(task))
      making.add(task)
    }
  }
  const fillSoon = (afterMs: number): void => {
    if (!closing.signal.aborted) timer ??= setTimeout(fill, afterMs)
  }
  const take = async (log: Log, signal: AbortSignal): Promise<Ready | undefined> => {
    for (const one of ready) {
      ready.delete(one)
      let runs: boolean
      try {
        runs = await isRunning(one.containerId, AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]))
      } catch {
        ready.add(one) // nobody has used it; the login finds out by itself what is wrong
        return undefined
      }
      one.unwatch()
      if (runs) return one
      log.emit('DOCKER_POOL_CONTAINER_LOST', { containerId: one.containerId })
      room.cleanup.track(room.cleanup.remove(one.containerId, log))
    }
    return undefined
  }
  /** Later, because it would stand in the way of the first program. */
  const mark = async (containerId: string, { peer }: Occupant, log: Log): Promise<void> => {
    await sleep(AFTER_CLAIM_MS, closing.signal)
    try {
      await room.engine.renameContainer(containerId, `containerssh_${peer.connectionId}`, AbortSignal.timeout(ASK_MS))
    } catch (thrown) {
      const error = asEngineError(thrown)
      // The user may be gone already, and his container with him.
      if (GONE.has(error.statusCode)) return
      log.emit('DOCKER_POOL_RENAME_FAILED', { containerId, reason: error.message })
    }
  }
  fillSoon(0)
  return {
    async claim(who, log, signal) {
      usedAt = performance.now()
      const one = await take(log, signal)
      if (one === undefined) {
        missedAt = usedAt
        wanted = Math.min(wanted + 1, max)
        log.emit('DOCKER_POOL_EMPTY', { profile })
      } else {
        log.emit('DOCKER_POOL_CLAIMED', { containerId: one.containerId, ready: ready.size })
        room.cleanup.track(mark(one.containerId, who, log))
      }
      fillSoon(AFTER_CLAIM_MS)
      return one
    },
    use(next) {
      room = next
    },
    async tend() {
      if (performance.now() - missedAt > idleLifeMs) wanted = min
      const imageId = await room.images.id(AbortSignal.timeout(ASK_MS)).catch(() => undefined)
      const stale = [...ready].filter((one) => imageId !== undefined && one.imageId !== imageId)
      const surplus = Math.max(0, ready.size - stale.length - wanted)
      const fresh = [...ready].filter((one) => !stale.includes(one))
      await Promise.all([...stale, ...fresh.slice(0, surplus)].map(drop))
      fillSoon(0)
    },
    get isIdle() {
      return performance.now() - usedAt > idleLifeMs
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      clearTimeout(timer)
      await Promise.all(making)
      await Promise.all([...ready].map(drop))
    },
  }
}
