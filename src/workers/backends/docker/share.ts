/**
 * Containers that several connections live in, on whichever workers these are. The engine decides every race: of two
 * that make the container one finds its name taken, and goes to the other's. Whoever leaves takes the name away before he
 * looks whether somebody is left, and whoever comes leaves his mark before he looks for the name: so at least one of them
 * sees the other.
 */
import { asFault, Fault, fault } from '../../../shared/codes/fault.ts'
import { sleep, within } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import type { FoundContainer } from './engine.ts'
import { asEngineError } from './failure.ts'
import { isDead } from './owner-state.ts'
import { label, type Room } from './room.ts'
import type { Mark, Marks } from './share-marks.ts'

/** Makes the container and starts it. A name that is taken is a Fault with status code 409. */
export type Make = (name: string, labels: Readonly<Record<string, string>>) => Promise<string>

export interface Stay {
  readonly containerId: string
  /** Once; in the background, and never rejects. */
  leave(): void
}

export interface Shares extends AsyncDisposable {
  /** @throws Fault */
  join(room: Room, who: Occupant, share: string, make: Make, log: Log, signal: AbortSignal): Promise<Stay>
  /** Those that nobody is in, though nobody said so; gives the number of containers removed. @throws EngineError */
  tend(room: Pick<Room, 'engine'>, log: Log, signal: AbortSignal): Promise<number>
}

const MOST_PAUSE_MS = 500
const LEAVE_MS = 30_000

/** Of one connection. */
interface Visit {
  readonly share: string
  readonly connectionId: string
  /** Empty: it did not get as far as one. */
  readonly containerId: string
}

export function createShares(marks: Marks): Shares {
  const leaving = new Set<Promise<void>>()
  const closing = new AbortController()
  let wasUsed = false

  const leave = (room: Room, visit: Visit, lingerMs: number, log: Log): void => {
    const settled = depart(room, visit, marks, lingerMs, closing.signal, log).finally(() => leaving.delete(settled))
    leaving.add(settled)
  }
  return {
    async join(room, who, share, make, log, signal) {
      const { connectionId } = who.peer
      const limited = AbortSignal.any([signal, AbortSignal.timeout(room.settings.timeouts.containerStart)])
      let visit: Visit = { share, connectionId, containerId: '' }
      wasUsed = true
      try {
        await marks.put({ ...visit, kind: 'joining' }, limited)
        visit = { ...visit, containerId: await findOrMake(room, share, make, log, limited) }
        await moveIn(room, visit, marks, log, limited)
      } catch (error) {
        leave(room, visit, 0, log)
        throw error instanceof Fault ? error : fault('DOCKER_SHARE_FAILED', {}, { cause: asEngineError(error) })
      }
      let left = false
      return {
        containerId: visit.containerId,
        leave() {
          if (!left) leave(room, visit, room.settings.share.linger, log)
          left = true
        },
      }
    },
    async tend(room, log, signal) {
      const containers = await room.engine.listContainers(label.share, signal)
      wasUsed ||= containers.length > 0
      if (!wasUsed) return 0
      const alive = await marks.alive(undefined, signal)
      let removed = 0
      for (const { Id, Labels } of containers) {
        const share = Labels[label.share] ?? ''
        if (isUsed(alive, share, Id)) continue
        if (await endUnused(room, share, Id, marks, log, signal)) removed += 1
      }
      return removed
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      while (leaving.size > 0) await Promise.all(leaving)
    },
  }
}

/** @throws Fault when the container is full; EngineError */
async function moveIn(room: Room, visit: Visit, marks: Marks, log: Log, signal: AbortSignal): Promise<void> {
  const { share, containerId, connectionId } = visit
  await marks.put({ ...visit, kind: 'member' }, signal)
  const others = await marks.alive(share, signal)
  const limit = room.settings.share.maxConnections
  if (limit > 0 && rankOf(others, containerId, connectionId) >= limit) throw fault('DOCKER_SHARE_FULL', { limit })
  await marks.drop('joining', connectionId, signal)
  const connections = others.filter((mark) => mark.kind === 'member' && mark.containerId === containerId).length
  log.emit('DOCKER_SHARE_JOINED', { containerId, share, connections })
}

/** Never rejects. `closing` cuts the lingering short. */
async function depart(
  room: Room,
  visit: Visit,
  marks: Marks,
  lingerMs: number,
  closing: AbortSignal,
  log: Log,
): Promise<void> {
  const { share, containerId, connectionId } = visit
  const lingers = lingerMs > 0 && !closing.aborted
  const limited = (task: (signal: AbortSignal) => Promise<void>): Promise<void> =>
    within('leaving a container', LEAVE_MS, undefined, task)
  try {
    await limited(async (signal) => {
      if (lingers) await marks.put({ ...visit, kind: 'lingering' }, signal)
      await marks.drop('member', connectionId, signal)
      await marks.drop('joining', connectionId, signal)
    })
    if (lingers) await sleep(lingerMs, closing)
    await limited(async (signal) => {
      if (lingers) await marks.drop('lingering', connectionId, signal)
      if (containerId !== '') await endUnused(room, share, containerId, marks, log, signal)
    })
  } catch (error) {
    // What is left the reaper finds: marks of ours that we do not know, and a container without marks.
    log.emit('DOCKER_SHARE_LEAVE_FAILED', { containerId, share }, { cause: asFault(error) })
  }
}

/** Whoever joins may have any container of the share in mind. */
const isUsed = (marks: readonly Mark[], share: string, containerId: string): boolean =>
  marks.some((mark) => mark.share === share && (mark.kind === 'joining' || mark.containerId === containerId))

/** Those who were let in come first, then those who are joining, by their ids: two at a time do not both go. */
function rankOf(marks: readonly Mark[], containerId: string, connectionId: string): number {
  const joining = new Set(marks.filter(({ kind }) => kind === 'joining').map((mark) => mark.connectionId))
  const members = marks
    .filter((mark) => mark.kind === 'member' && mark.containerId === containerId)
    .map((mark) => mark.connectionId)
  const before = members.filter((id) => !joining.has(id) || id < connectionId)
  return before.filter((id) => id !== connectionId).length
}

async function findOrMake(room: Room, share: string, make: Make, log: Log, signal: AbortSignal): Promise<string> {
  for (let pauseMs = 20; ; pauseMs = Math.min(2 * pauseMs, MOST_PAUSE_MS)) {
    const found = await room.engine.findContainer(share, signal)
    if (found?.status === 'running') return found.id
    if (found === undefined) {
      try {
        return await make(share, { [label.share]: share })
      } catch (error) {
        // The name is taken: some time before the container can be found by it.
        if (!(error instanceof Fault) || error.labels['statusCode'] !== 409) throw error
      }
    } else if (found.status !== 'created' || isAbandoned(room, found)) {
      await takeName(room, found.id, signal)
      await room.cleanup.remove(found.id, log)
    }
    // Its maker is about to start it.
    await sleep(pauseMs, signal)
    signal.throwIfAborted()
  }
}

function isAbandoned({ lease }: Room, { labels }: FoundContainer): boolean {
  return isDead(lease, labels[label.owner] ?? '', labels[label.lease] !== undefined)
}

/** Nobody finds it any more. */
async function takeName({ engine }: Pick<Room, 'engine'>, containerId: string, signal: AbortSignal): Promise<void> {
  try {
    await engine.renameContainer(containerId, `containerssh_left_${containerId.slice(0, 32)}`, signal)
  } catch (error) {
    // 404: it is gone. 400 and 409: it has that name already.
    if (![400, 404, 409].includes(asEngineError(error).statusCode)) throw error
  }
}

/** Removes a container unless somebody is in it. */
async function endUnused(
  room: Pick<Room, 'engine'>,
  share: string,
  containerId: string,
  marks: Marks,
  log: Log,
  signal: AbortSignal,
): Promise<boolean> {
  if (isUsed(await marks.alive(share, signal), share, containerId)) return false
  await takeName(room, containerId, signal)
  if (isUsed(await marks.alive(share, signal), share, containerId)) {
    // Somebody came in between. If there is a newer container by that name, those in the old one stay there.
    await room.engine.renameContainer(containerId, share, signal).catch(() => undefined)
    return false
  }
  log.emit('DOCKER_CONTAINER_REMOVE', { containerId })
  await room.engine.removeContainer(containerId, signal).catch((error) => {
    if (![404, 409].includes(asEngineError(error).statusCode)) throw error
  })
  log.emit('DOCKER_CONTAINER_REMOVE_SUCCESSFUL', { containerId })
  return true
}
