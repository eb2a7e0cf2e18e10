/** Waiting for a pod, by watching it. */
import type { Api, ContainerStatus, Pod, PodName } from './api.ts'
import { ApiError } from './failure.ts'

/** What somebody waits for. Undefined: not yet. */
export type Look<T> = (pod: Pod) => T | undefined

/** The pod is gone, or will not become what is waited for. */
export class PodError extends Error {}

/** The kubelet will try again, but not with another result while a user waits. */
const hopeless: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'CrashLoopBackOff',
])

/**
 * Watches the pod until `look` gives something.
 * @throws PodError; ApiError; the signal's reason
 */
export async function waitFor<T>(api: Api, name: PodName, from: Pod, look: Look<T>, signal: AbortSignal): Promise<T> {
  let last = from
  const seen: Look<{ readonly value: T }> = (pod) => {
    last = pod
    const value = look(pod)
    return value === undefined ? undefined : { value }
  }
  try {
    for (let pod: Pod | undefined = from; ; pod = await api.pod(name, signal)) {
      if (pod === undefined) throw new PodError('it was deleted')
      const found = seen(pod) ?? (await watched(api, name, pod.metadata.resourceVersion ?? '0', seen, signal))
      if (found !== undefined) return found.value
      signal.throwIfAborted()
    }
  } catch (error) {
    const reason = signal.aborted ? whyPending(last) : undefined
    throw reason === undefined ? error : new PodError(reason, { cause: error })
  }
}

/** Undefined: the watch is over, as each is after a while, or when its version is too old. */
async function watched<T>(
  api: Api,
  name: PodName,
  version: string,
  look: Look<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  for await (const event of api.watchPod(name, version, signal)) {
    if (event.type === 'ERROR') {
      if (event.object.code === 410) return undefined
      throw new ApiError(event.object.code ?? 0, event.object.message ?? 'the watch failed')
    }
    if (event.type === 'BOOKMARK') continue
    if (event.type === 'DELETED') throw new PodError('it was deleted')
    const value = look(event.object)
    if (value !== undefined) return value
  }
  return undefined
}

/** Running and ready, or over already, in which case the first program tells. @throws PodError */
export function isUp(pod: Pod): true | undefined {
  const { status: { phase, conditions = [] } = {}, metadata } = pod
  if (phase === 'Succeeded' || phase === 'Failed') return true
  if (metadata.deletionTimestamp !== undefined) throw new PodError('it is being deleted')
  if (phase === 'Running' && conditions.some(({ type, status }) => type === 'Ready' && status === 'True')) return true
  const problem = problemOf(pod)
  if (problem !== undefined) throw new PodError(problem)
  return undefined
}

/** Why it will not start, in the cluster's words. */
function problemOf({ status }: Pod): string | undefined {
  for (const { name, state } of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const { reason = '', message } = state?.waiting ?? {}
    if (hopeless.has(reason)) return `container ${name}: ${reason}${message === undefined ? '' : `: ${message}`}`
  }
  return undefined
}

/** What it waits for. A cluster may yet get a node that fits, so this ends no wait. */
function whyPending({ status }: Pod): string | undefined {
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled')
  return scheduled?.reason === 'Unschedulable' ? `Unschedulable: ${scheduled.message ?? ''}` : undefined
}

/** By name: the order of the list is not that of the specification. */
export const statusOf = ({ status }: Pod, container: string): ContainerStatus | undefined =>
  status?.containerStatuses?.find(({ name }) => name === container)
