/** Pods of processes that are gone: the labels say who owns what, so nothing has to be remembered. */
import type { Log } from '../../../shared/log.ts'
import type { Pod, PodName } from './api.ts'
import { nameOf } from './create.ts'
import { asApiError } from './failure.ts'
import { label } from './labels.ts'
import { namespaceOf } from './pod.ts'
import type { Room } from './room.ts'

/**
 * Removes what dead owners left behind in the room's namespace, and what we could not remove ourselves. Gives the number
 * of pods.
 */
export async function reap(
  { api, cleanup, leases, identity, settings }: Room,
  abandoned: readonly PodName[],
  log: Log,
  signal: AbortSignal,
): Promise<number> {
  const namespace = namespaceOf(settings.pod)
  // Of a shared one the owner is only who made it.
  const selector = `${label.owner},!${label.share}`
  const pods = await api.listPods(namespace, selector, signal).catch((error: unknown): Pod[] => {
    if (!signal.aborted) log.emit('KUBERNETES_REAP_FAILED', reapLabels(error))
    return []
  })
  const dead = pods
    .map((pod) => ({ pod: nameOf(pod), labels: pod.metadata.labels ?? {} }))
    .map(({ pod, labels }) => ({ pod, owner: labels[label.owner] ?? '', isLeased: labels[label.leased] !== undefined }))
    .filter(({ owner, isLeased }) => leases.isDead(namespace, owner, isLeased))
  const mine = abandoned.filter((pod) => pod.namespace === namespace).map((pod) => ({ pod, owner: identity.owner }))
  let removed = 0
  for (const { pod, owner } of [...dead, ...mine]) {
    try {
      // Several workers may reap at the same time.
      if (!(await api.deletePod(pod, 0, signal))) continue
      log.emit('KUBERNETES_REAPED', { podName: pod.name, owner })
      removed += 1
    } catch (error) {
      if (!signal.aborted) log.emit('KUBERNETES_REAP_FAILED', { podName: pod.name, ...reapLabels(error) })
      if (owner === identity.owner) cleanup.abandon(pod)
    }
  }
  return removed
}

export function reapLabels(error: unknown): { reason: string; statusCode?: number } {
  const { message, statusCode } = asApiError(error)
  return { reason: message, ...(statusCode === 0 ? {} : { statusCode }) }
}
