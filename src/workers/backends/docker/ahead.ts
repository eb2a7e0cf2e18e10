/**
 * Containers that are made ahead. Their labels cannot be changed: whose one became is told by its name, which from then on
 * is `containerssh_` and the connection's id, and what a container gets for its user when it is made, his environment,
 * is given to each program instead.
 */
import { asFault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import type { Plan } from '../guest/plan.ts'
import { AFTER_CLAIM_MS } from '../pool/filler.ts'
import type { Nursery, PoolKind } from '../pool/nursery.ts'
import type { ContainerExtras } from './container.ts'
import { asEngineError } from './failure.ts'
import { type Furnished, furnishRunning } from './furnish.ts'
import { idling } from './idle.ts'
import { profileOf } from './profile.ts'
import { label, type Room } from './room.ts'

export interface Ready extends Furnished {
  /** That it was made of. */
  readonly imageId: string | undefined
}

const ASK_MS = 5000
/** Not there, or being removed. */
const GONE: ReadonlySet<number> = new Set([404, 409])

/** `log`: of the pools. */
export const aheadOf = (log: Log): PoolKind<Room, Ready> => ({
  settings: ({ settings }) => settings.pool,
  profile: ({ settings }) => profileOf(settings),
  nursery: (room, profile, closing) => createNursery(room, profile, closing, log),
})

function createNursery(room: Room, profile: string, closing: AbortSignal, log: Log): Nursery<Ready> {
  const { ends, cleanup, images } = room
  return {
    make: (signal) => makeAhead(room, profile, log, signal),
    watch: ({ containerId }, { ended, missed }) => ends.watch(containerId, { exited: ended, missed }),
    isRunning: (one, signal) => isRunning(room, one, signal),
    async give(one, who, log, signal) {
      if (!(await isRunning(room, one, signal))) return false
      cleanup.track(mark(room, one.containerId, who, log, closing))
      return true
    },
    remove: ({ containerId }, log) => cleanup.remove(containerId, log),
    async stale(ready) {
      const imageId = await images.id(AbortSignal.timeout(ASK_MS)).catch(() => undefined)
      return imageId === undefined ? [] : ready.filter((one) => one.imageId !== imageId)
    },
    tell: {
      filled: ({ containerId }, ready) => log.emit('DOCKER_POOL_FILLED', { containerId, profile, ready }),
      fillFailed: (error) => log.emit('DOCKER_POOL_FILL_FAILED', { profile }, { cause: asFault(error) }),
      claimed: ({ containerId }, ready, log) => log.emit('DOCKER_POOL_CLAIMED', { containerId, ready }),
      empty: (log) => log.emit('DOCKER_POOL_EMPTY', { profile }),
      lost: ({ containerId }, log) => log.emit('DOCKER_POOL_CONTAINER_LOST', { containerId }),
    },
  }
}

async function isRunning({ engine }: Room, { containerId }: Ready, signal: AbortSignal): Promise<boolean> {
  try {
    const { Running, Paused } = await engine.containerState(containerId, signal)
    return Running && !Paused
  } catch (error) {
    if (asEngineError(error).statusCode === 404) return false
    throw error
  }
}

/** @throws Fault */
async function makeAhead(room: Room, profile: string, log: Log, signal: AbortSignal): Promise<Ready> {
  const image = await room.images.ensure(log, signal)
  const deadline = AbortSignal.timeout(room.settings.timeouts.containerStart)
  const extrasOf = (plan: Plan): ContainerExtras => ({ ...idling(plan), labels: { [label.pool]: profile } })
  const made = await furnishRunning(room, undefined, image, extrasOf, log, signal, deadline, { ahead: true })
  if (!signal.aborted) return { ...made, imageId: image?.id }
  room.cleanup.track(room.cleanup.remove(made.containerId, log))
  throw signal.reason
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
