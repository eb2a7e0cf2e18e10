/**
 * Containers of processes that are gone: the labels say who owns what, so nothing has to be remembered. Of a process that
 * cannot be seen from here its lease tells.
 */
import type { Log } from '../../../shared/log.ts'
import { removeOrGone } from './cleanup.ts'
import { asEngineError } from './failure.ts'
import { isDead } from './owner-state.ts'
import { label, type Room } from './room.ts'

/** Removes what dead owners left behind, and what we could not remove ourselves. Gives the number of containers. */
export async function reap(
  room: Pick<Room, 'engine' | 'identity' | 'cleanup' | 'lease' | 'direct'>,
  log: Log,
  signal: AbortSignal,
): Promise<number> {
  const listedAt = performance.now()
  const listed = await room.engine.listContainers(label.owner, signal).catch((error) => {
    if (!signal.aborted) log.emit('DOCKER_REAP_FAILED', labelsOf(error))
    return undefined
  })
  const orphans = listed ?? []
  if (listed !== undefined) {
    await room.direct.sweep(
      listed.map(({ Id, Labels }) => ({ id: Id, folder: Labels[label.streams] ?? '' })),
      listedAt,
    )
  }
  const states = new Map<string, boolean>()
  const isOver = (owner: string, isLeased: boolean): boolean => {
    const known = states.get(owner) ?? isDead(room.lease, owner, isLeased)
    if (isLeased || known) states.set(owner, known)
    return known
  }
  const mine = room.cleanup.takeAbandoned().map((id) => ({ id, owner: room.identity.owner }))
  const dead = orphans
    // Of a shared one the owner is only who made it.
    .filter(({ Labels }) => Labels[label.share] === undefined)
    .map(({ Id, Labels }) => ({
      id: Id,
      owner: Labels[label.owner] ?? '',
      isLeased: Labels[label.lease] !== undefined,
    }))
    .filter(({ owner, isLeased }) => isOver(owner, isLeased))
  const removed = await Promise.all(
    [...dead, ...mine].map(async ({ id, owner }) => {
      try {
        if (!(await room.cleanup.inTurn(() => removeOrGone(room.engine, id, signal)))) return 0
        log.emit('DOCKER_REAPED', { containerId: id, owner })
        return 1
      } catch (error) {
        // Several workers may reap at the same time.
        if (asEngineError(error).statusCode !== 409 && !signal.aborted) {
          log.emit('DOCKER_REAP_FAILED', { containerId: id, ...labelsOf(error) })
        }
        if (owner === room.identity.owner) room.cleanup.abandon(id)
        return 0
      }
    }),
  )
  return removed.reduce<number>((sum, one) => sum + one, 0)
}

function labelsOf(error: unknown): { reason: string; statusCode?: number } {
  const { message, statusCode } = asEngineError(error)
  return { reason: message, ...(statusCode === 0 ? {} : { statusCode }) }
}
