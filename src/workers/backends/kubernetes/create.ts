/** Making a pod so that it is removed whatever happens, even when the client leaves while it is being made. */
import { fault } from '../../../shared/codes/fault.ts'
import { newId } from '../../../shared/id.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import type { Pod, PodName } from './api.ts'
import { asApiError, persist, whyOf } from './failure.ts'
import { label, labelValue } from './labels.ts'
import { namespaceOf, type PodRequest, podBody } from './pod.ts'
import type { Room } from './room.ts'
import { type Look, PodError, waitFor } from './wait.ts'

/** Admission of a busy cluster takes seconds. */
const createMs = 30_000

/** Creates a pod and waits until `look` finds it ready; a pod that does not come so far is removed. @throws Fault */
export async function makePod(
  room: Room,
  request: PodRequest,
  look: Look<true>,
  log: Log,
  signal: AbortSignal,
): Promise<Pod> {
  const pod = await createPod(room, request, log, signal)
  await awaitPod(room, pod, look, log, signal, () => room.cleanup.remove(pod.metadata, log))
  return pod
}

/**
 * A call is not interrupted by `signal`: the cluster would go on alone; whoever gives up has the pod removed.
 * @throws Fault, with status code 409 when the name is taken
 */
export async function createPod(room: Room, request: PodRequest, log: Log, signal: AbortSignal): Promise<Pod> {
  const { pod } = room.settings
  const namespace = namespaceOf(pod)
  if (request.who !== undefined) tellLongName(request.who, log)
  const isLeased = pod.mode !== 'persistent' && (await room.leases.hold(namespace))
  const labels = { ...request.labels, ...(isLeased && { [label.leased]: '1' }) }
  const once = async (): Promise<Pod> => {
    log.emit('KUBERNETES_POD_CREATE', {})
    const creation = newId()
    const body = podBody(pod, { ...request, labels }, room.identity, creation)
    try {
      return await room.api.createPod(namespace, body, AbortSignal.timeout(createMs))
    } catch (error) {
      // There may be a pod all the same.
      const { statusCode, isUnsent } = asApiError(error)
      if (!isUnsent && (statusCode === 0 || statusCode >= 500)) room.cleanup.sweep(namespace, creation, log)
      throw error
    }
  }
  const isNamed = (request.name ?? pod.metadata['name'] ?? '') !== ''
  return persist(once, {
    signal,
    permanent: (error) => error.permanent || (isNamed && error.reason === 'AlreadyExists'),
    retrying: (labels, error) => log.emit('KUBERNETES_POD_CREATE_FAILED', { ...labels, why: whyOf(error) }),
    failed: (labels, cause) =>
      fault('KUBERNETES_POD_CREATE_FAILED', { ...labels, why: whyOf(cause) }, { cause, level: 'error' }),
  })
}

export function tellLongName({ member: { authenticatedUsername } }: Occupant, log: Log): void {
  if (labelValue(authenticatedUsername) !== undefined) return
  log.emit('KUBERNETES_USERNAME_TOO_LONG', { length: authenticatedUsername.length })
}

/** @throws Fault KUBERNETES_POD_WAIT_FAILED, after `undo` has begun */
export async function awaitPod(
  room: Pick<Room, 'api' | 'cleanup'>,
  pod: Pod,
  look: Look<true>,
  log: Log,
  signal: AbortSignal,
  undo?: () => Promise<void>,
): Promise<void> {
  const podName = pod.metadata.name
  log.emit('KUBERNETES_POD_WAIT', { podName })
  try {
    await waitFor(room.api, nameOf(pod), pod, look, signal)
  } catch (cause) {
    if (undo !== undefined) room.cleanup.track(undo())
    const why = cause instanceof PodError ? cause.why : whyOf(asApiError(cause))
    throw fault('KUBERNETES_POD_WAIT_FAILED', { podName, reason: (cause as Error).message, why }, { cause })
  }
}

export const nameOf = ({ metadata: { namespace, name } }: Pod): PodName => ({ namespace, name })
