/**
 * Who is in which shared container. The engine decides every race: of two that make the container one finds its name
 * taken, and goes to the other's. Whoever leaves takes the name away before he looks whether somebody is left, and whoever
 * comes leaves his mark before he looks for the name: so at least one of them sees the other.
 */
import { asFault, Fault, fault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Register, Visit } from '../share/register.ts'
import type { FoundContainer } from './engine.ts'
import { asEngineError } from './failure.ts'
import { isDead } from './owner-state.ts'
import { label, type Room } from './room.ts'
import type { Mark, Marks } from './share-marks.ts'

/** Makes the container and starts it. A name that is taken is a Fault with status code 409. */
export type Make = (name: string, labels: Readonly<Record<string, string>>) => Promise<string>

type Common = Pick<Room, 'engine' | 'cleanup' | 'lease'>

const MOST_PAUSE_MS = 500

export function createRegister(common: Common, marks: Marks): Register<Make> {
  const { engine } = common
  let wasUsed = false
  return {
    async enter(visit, limit, make, log, signal) {
      const { share, connectionId } = visit
      wasUsed = true
      await marks.put({ kind: 'joining', share, connectionId, containerId: '' }, signal)
      const containerId = await findOrMake(common, share, make, log, signal)
      visit.id = containerId
      await marks.put({ kind: 'member', share, connectionId, containerId }, signal)
      const others = await marks.alive(share, signal)
      if (limit > 0 && rankOf(others, containerId, connectionId) >= limit) return undefined
      await marks.drop('joining', connectionId, signal)
      return others.filter((mark) => mark.kind === 'member' && mark.containerId === containerId).length
    },
    async leave({ share, connectionId, id }, lingers, _log, signal) {
      if (lingers) await marks.put({ kind: 'lingering', share, connectionId, containerId: id }, signal)
      await marks.drop('member', connectionId, signal)
      await marks.drop('joining', connectionId, signal)
    },
    stopLingering: ({ connectionId }, _log, signal) => marks.drop('lingering', connectionId, signal),
    endUnused: (place, log, signal) => endUnused(common, place, marks, log, signal),
    async unused(signal) {
      const containers = await engine.listContainers(label.share, signal)
      wasUsed ||= containers.length > 0
      if (!wasUsed) return []
      const alive = await marks.alive(undefined, signal)
      return containers
        .map(({ Id, Labels }) => ({ id: Id, share: Labels[label.share] ?? '' }))
        .filter((place) => !isUsed(alive, place))
    },
    tell: {
      joined: ({ id, share }, connections, log) =>
        log.emit('DOCKER_SHARE_JOINED', { containerId: id, share, connections }),
      leaveFailed: ({ id, share }, error, log) =>
        log.emit('DOCKER_SHARE_LEAVE_FAILED', { containerId: id, share }, { cause: asFault(error) }),
      full: (limit) => fault('DOCKER_SHARE_FULL', { limit }),
      failed: (error) => fault('DOCKER_SHARE_FAILED', {}, { cause: asEngineError(error) }),
    },
  }
}

/** Whoever joins may have any container of the share in mind. */
const isUsed = (marks: readonly Mark[], { share, id }: Pick<Visit, 'share' | 'id'>): boolean =>
  marks.some((mark) => mark.share === share && (mark.kind === 'joining' || mark.containerId === id))

/** Those who were let in come first, then those who are joining, by their ids: two at a time do not both go. */
function rankOf(marks: readonly Mark[], containerId: string, connectionId: string): number {
  const joining = new Set(marks.filter(({ kind }) => kind === 'joining').map((mark) => mark.connectionId))
  const members = marks
    .filter((mark) => mark.kind === 'member' && mark.containerId === containerId)
    .map((mark) => mark.connectionId)
  const before = members.filter((id) => !joining.has(id) || id < connectionId)
  return before.filter((id) => id !== connectionId).length
}

async function findOrMake(common: Common, share: string, make: Make, log: Log, signal: AbortSignal): Promise<string> {
  const { engine, cleanup } = common
  for (let pauseMs = 20; ; pauseMs = Math.min(2 * pauseMs, MOST_PAUSE_MS)) {
    const found = await engine.findContainer(share, signal)
    if (found?.status === 'running') return found.id
    if (found === undefined) {
      try {
        return await make(share, { [label.share]: share })
      } catch (error) {
        // The name is taken: some time before the container can be found by it.
        if (!(error instanceof Fault) || error.labels['statusCode'] !== 409) throw error
      }
    } else if (found.status !== 'created' || isAbandoned(common, found)) {
      await takeName(common, found.id, signal)
      await cleanup.remove(found.id, log, true)
    }
    // Its maker is about to start it.
    await sleep(pauseMs, signal)
    signal.throwIfAborted()
  }
}

function isAbandoned({ lease }: Common, { labels }: FoundContainer): boolean {
  return isDead(lease, labels[label.owner] ?? '', labels[label.lease] !== undefined)
}

/** Nobody finds it any more. */
async function takeName({ engine }: Common, containerId: string, signal: AbortSignal): Promise<void> {
  try {
    await engine.renameContainer(containerId, `containerssh_left_${containerId.slice(0, 32)}`, signal)
  } catch (error) {
    // 404: it is gone. 400 and 409: it has that name already.
    if (![400, 404, 409].includes(asEngineError(error).statusCode)) throw error
  }
}

/** Removes a container unless somebody is in it. */
async function endUnused(
  common: Common,
  place: Pick<Visit, 'share' | 'id'>,
  marks: Marks,
  log: Log,
  signal: AbortSignal,
): Promise<boolean> {
  const { engine } = common
  const { share, id: containerId } = place
  if (isUsed(await marks.alive(share, signal), place)) return false
  await takeName(common, containerId, signal)
  if (isUsed(await marks.alive(share, signal), place)) {
    // Somebody came in between. If there is a newer container by that name, those in the old one stay there.
    await engine.renameContainer(containerId, share, signal).catch(() => undefined)
    return false
  }
  log.emit('DOCKER_CONTAINER_REMOVE', { containerId })
  await engine.removeContainer(containerId, signal).catch((error) => {
    if (![404, 409].includes(asEngineError(error).statusCode)) throw error
  })
  log.emit('DOCKER_CONTAINER_REMOVE_SUCCESSFUL', { containerId })
  return true
}
