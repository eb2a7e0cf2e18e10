/** Waiting for a pod, by watching it. */
import type { Api, ContainerStatus, Pod, PodName } from './api.ts'
import { ApiError } from './failure.ts'

/** What somebody waits for. Undefined: not yet. */
export type Look<T> = (pod: Pod) => T | undefined

/** The pod is gone, or will not become what is waited for. */
export class PodError extends Error {
  /** For users: nothing about the inside of the cluster. */
  readonly why: string
  /** Its container could not be started: the command is not there. */
  readonly isUnstartable: boolean

  constructor(
    message: string,
    why = 'it has ended',
    { isUnstartable = false, ...options }: ErrorOptions & { readonly isUnstartable?: boolean } = {},
  ) {
    super(message, options)
    this.why = why
    this.isUnstartable = isUnstartable
  }
}

/** The kubelet will try again, but not with another result while a user waits. */
const badImage: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
])
const hopeless: ReadonlySet<string> = new Set([...badImage, 'CreateContainerConfigError'])
/** Its command cannot be executed, as containerd, Docker's shim and the kubelet say it. */
const unstartable: ReadonlySet<string> = new Set([
  'StartError',
  'ContainerCannotRun',
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
      if (pod === undefined) throw new PodError(deleted, deleted)
      const found = seen(pod) ?? (await watched(api, name, pod.metadata.resourceVersion ?? '0', seen, signal))
      if (found !== undefined) return found.value
      signal.throwIfAborted()
    }
  } catch (error) {
    throw signal.aborted ? pending(last, error) : error
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
    if (event.type === 'DELETED') throw new PodError(deleted, deleted)
    const value = look(event.object)
    if (value !== undefined) return value
  }
  return undefined
}

/** Running and ready, or over already, in which case the first program tells. @throws PodError */
export function isUp(pod: Pod): true | undefined {
  const { status: { phase, conditions = [] } = {}, metadata } = pod
  if (phase === 'Succeeded' || phase === 'Failed') return true
  if (metadata.deletionTimestamp !== undefined) throw new PodError('it is being deleted', deleted)
  if (phase === 'Running' && conditions.some(({ type, status }) => type === 'Ready' && status === 'True')) return true
  endIfHopeless(pod)
  return undefined
}

/** Nothing can be started in one that is over. @throws PodError */
export function isRunning(pod: Pod): true | undefined {
  const { phase = '' } = pod.status ?? {}
  if (phase === 'Succeeded' || phase === 'Failed') throw new PodError(`it has ended: ${phase}`)
  return isUp(pod)
}

/** It will not run any more. */
export const isOver = ({ status, metadata }: Pod): boolean =>
  metadata.deletionTimestamp !== undefined || status?.phase === 'Succeeded' || status?.phase === 'Failed'

/** Waits until there is no such pod. @throws ApiError; the signal's reason */
export async function waitGone(api: Api, pod: Pod, signal: AbortSignal): Promise<void> {
  const { uid } = pod.metadata
  const isAnother: Look<true> = (one) => (one.metadata.uid === uid ? undefined : true)
  await waitFor(api, pod.metadata, pod, isAnother, signal).catch((error: unknown) => {
    if (!(error instanceof PodError) || signal.aborted) throw error
  })
}

/** @throws PodError when a container will not start, in the kubelet's words */
export function endIfHopeless(pod: Pod): void {
  for (const { name, reason, message } of troublesOf(pod)) {
    const isUnstartable = unstartable.has(reason)
    if (!hopeless.has(reason) && !isUnstartable) continue
    const why = badImage.has(reason) ? 'its image cannot be pulled' : 'its container cannot be started'
    throw new PodError(`container ${name}: ${reason}${message === '' ? '' : `: ${message}`}`, why, { isUnstartable })
  }
}

const deleted = 'it was deleted'

/** What its containers wait for, or have ended with, in the kubelet's words. */
const troublesOf = ({ status }: Pod): readonly { name: string; reason: string; message: string }[] =>
  [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].flatMap(({ name, state }) => {
    const trouble = state?.waiting ?? state?.terminated
    return trouble === undefined ? [] : [{ name, reason: trouble.reason ?? '', message: trouble.message ?? '' }]
  })

/** The time is over. A cluster may yet get a node that fits, so this ends no wait before. */
function pending(pod: Pod, cause: unknown): PodError {
  const { status, spec } = pod
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled')
  if (scheduled?.reason === 'Unschedulable') {
    return new PodError(`Unschedulable: ${scheduled.message ?? ''}`, 'no node of the cluster can take it', { cause })
  }
  const waiting = troublesOf(pod).map(({ name, reason, message }) =>
    `, container ${name}: ${reason} ${message}`.trimEnd(),
  )
  const state = `phase ${status?.phase ?? 'unknown'} on node ${spec?.nodeName ?? '(none)'}${waiting.join('')}`
  return new PodError(`it did not get so far in time: ${state}`, 'it took too long', { cause })
}

/** By name: the order of the list is not that of the specification. */
export const statusOf = ({ status }: Pod, container: string): ContainerStatus | undefined =>
  status?.containerStatuses?.find(({ name }) => name === container)
