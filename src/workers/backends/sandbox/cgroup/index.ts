/** Which control groups there are for sandboxes, how they are called, and what dead daemons left of them. */
import { type Identity, ownerState } from '../../../../shared/identity.ts'
import type { Log } from '../../../../shared/log.ts'
import type { SandboxSettings } from '../room.ts'
import { type Groups, wantedBounds } from './group.ts'
import { findHierarchies } from './hierarchies.ts'
import { openV1 } from './v1.ts'
import { openV2 } from './v2.ts'

export interface Found {
  /** Undefined: none can be used. */
  readonly groups: Groups | undefined
  /** Why it is not version 2; empty: it is. */
  readonly reason: string
}

/** Never rejects. */
export async function findGroups(settings: SandboxSettings): Promise<Found> {
  if (settings.controlGroups === 'off') return { groups: undefined, reason: 'sandbox.controlGroups is off' }
  try {
    const { unified, byController } = await findHierarchies()
    const wanted = wantedBounds(settings)
    const reasons: string[] = []
    if (unified === undefined) reasons.push('version 2 is not mounted')
    else {
      try {
        return { groups: await openV2(unified, wanted), reason: '' }
      } catch (error) {
        reasons.push((error as Error).message)
      }
    }
    const groups = await openV1(byController)
    if (groups === undefined) reasons.push('of version 1 none is ours to write to')
    return { groups, reason: reasons.join('; ') }
  } catch (error) {
    return { groups: undefined, reason: (error as Error).message }
  }
}

/** Says whose it is, as the labels of containers do. */
export const groupName = (id: string, { owner, instance }: Identity): string =>
  `containerssh.${id}.${owner}.${instance}`
const NAME = /^containerssh\.([0-9a-f]{12})\.([0-9a-f-]+)\.(.+)$/

/** Ends and removes groups of dead processes. Never rejects. */
export async function reapGroups(groups: Groups, log: Log, timeoutMs: number, signal: AbortSignal): Promise<void> {
  try {
    for (const name of await groups.names()) {
      const [, sandboxId = '', owner = ''] = NAME.exec(name) ?? []
      if (signal.aborted) return
      if (sandboxId === '' || ownerState(owner) !== 'dead') continue
      await groups.open(name).end(timeoutMs)
      log.emit('SANDBOX_CGROUP_REAPED', { sandboxId, owner })
    }
  } catch (error) {
    log.emit('SANDBOX_REAP_FAILED', { reason: (error as Error).message }, { cause: error })
  }
}
