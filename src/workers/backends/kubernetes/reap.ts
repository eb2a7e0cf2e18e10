/** Pods of processes that are gone: the labels say who owns what, so nothing has to be remembered. */
import { ownerState } from '../../../shared/identity.ts'
import type { Log } from '../../../shared/log.ts'
import type { Pod } from './api.ts'
import { nameOf } from './create.ts'
import { asApiError } from './failure.ts'
import { label } from './labels.ts'
import type { Leases } from './lease.ts'
import { namespaceOf } from './pod.ts'
import type { Room } from './room.ts'

/** Removes what dead owners left behind, and what we could not remove ourselves. Gives the number of pods. */
export async function reap(room: Room, leases: Leases, log: Log, signal: AbortSignal): Promise<number> {
  const namespace = namespaceOf(room.settings.pod)
  const states = new Map<string, Promise<boolean>>()
  const isDead = (owner: string): Promise<boolean> => {
    const known = states.get(owner) ?? dead(leases, namespace, owner, signal)
    states.set(owner, known)
    return known
  }
  const pods = await room.api.listPods(namespace, label.owner, signal).catch((error: unknown): readonly Pod[] => {
    if (!signal.aborted) log.emit('KUBERNETES_REAP_FAILED', labelsOf(error))
    return []
  })
  const mine = room.cleanup.takeAbandoned()
  let removed = 0
  for (const pod of pods) {
    const owner = pod.metadata.labels?.[label.owner] ?? ''
    if (!(await isDead(owner)) && !mine.some(({ name }) => name === pod.metadata.name)) continue
    const podName = pod.metadata.name
    try {
      await room.api.deletePod(nameOf(pod), 0, signal)
      log.emit('KUBERNETES_REAPED', { podName, owner })
      removed += 1
    } catch (error) {
      if (!signal.aborted) log.emit('KUBERNETES_REAP_FAILED', { podName, ...labelsOf(error) })
    }
  }
  return removed
}

/** On this machine the kernel knows; of others only the lease tells. */
async function dead(leases: Leases, namespace: string, owner: string, signal: AbortSignal): Promise<boolean> {
  const state = ownerState(owner)
  return state === 'dead' || (state === 'foreign' && (await leases.isOver(namespace, owner, signal)))
}

function labelsOf(error: unknown): { reason: string; statusCode?: number } {
  const { message, statusCode } = asApiError(error)
  return { reason: message, ...(statusCode === 0 ? {} : { statusCode }) }
}
