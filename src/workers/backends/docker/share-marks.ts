/**
 * Who is in a shared container, as the engine knows it: an empty volume for each connection. Labels of a container cannot
 * be changed, and no two workers can talk to each other, but all see the volumes.
 */
import type { Identity } from '../../../shared/identity.ts'
import type { Engine, Volume } from './engine.ts'
import type { Lease } from './lease.ts'
import { isDead } from './owner-state.ts'
import { label } from './room.ts'

/** `joining` is there before the container is looked for; `lingering` keeps it for whoever comes back. */
export type MarkKind = 'joining' | 'member' | 'lingering'

export interface Mark {
  /** Of the volume. */
  readonly name: string
  readonly kind: MarkKind
  readonly share: string
  /** Empty while joining. */
  readonly containerId: string
  readonly connectionId: string
  readonly owner: string
  readonly isLeased: boolean
}

export interface Marks {
  put(mark: Pick<Mark, 'kind' | 'share' | 'containerId' | 'connectionId'>, signal: AbortSignal): Promise<void>
  drop(kind: MarkKind, connectionId: string, signal: AbortSignal): Promise<void>
  /** Those whose owners live; of one share, or of all. What the dead left is removed. */
  alive(share: string | undefined, signal: AbortSignal): Promise<readonly Mark[]>
}

/** What this process made and has not dropped: anything else with its label is a drop that failed. */
const mine = new Set<string>()

export function createMarks(engine: Engine, { owner, instance }: Identity, lease: Lease | undefined): Marks {
  const nameOf = (kind: MarkKind, connectionId: string): string => `containerssh_${kind}_${connectionId}`
  return {
    async put({ kind, share, containerId, connectionId }, signal) {
      const name = nameOf(kind, connectionId)
      mine.add(name)
      const isLeased = (await lease?.isHeld()) === true
      const labels = {
        [label.share]: share,
        [label.instance]: instance,
        [label.owner]: owner,
        [label.mark]: kind,
        [label.container]: containerId,
        [label.connectionId]: connectionId,
        ...(isLeased ? { [label.leased]: '1' } : {}),
      }
      await engine.createVolume(name, labels, signal)
    },
    async drop(kind, connectionId, signal) {
      const name = nameOf(kind, connectionId)
      mine.delete(name)
      await engine.removeVolume(name, signal)
    },
    async alive(share, signal) {
      const filter = share === undefined ? label.share : `${label.share}=${share}`
      const found = (await engine.listVolumes(filter, signal)).map(markOf)
      const isOver = (mark: Mark): boolean =>
        mark.owner === owner ? !mine.has(mark.name) : isDead(lease, mark.owner, mark.isLeased)
      for (const { name } of found.filter(isOver)) await engine.removeVolume(name, signal).catch(() => undefined) // next time
      return found.filter((mark) => !isOver(mark))
    },
  }
}

function markOf({ Name, Labels }: Volume): Mark {
  const kind = Labels[label.mark]
  return {
    name: Name,
    kind: kind === 'joining' || kind === 'lingering' ? kind : 'member',
    share: Labels[label.share] ?? '',
    containerId: Labels[label.container] ?? '',
    connectionId: Labels[label.connectionId] ?? '',
    owner: Labels[label.owner] ?? '',
    isLeased: Labels[label.leased] !== undefined,
  }
}
