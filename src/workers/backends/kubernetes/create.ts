/** Making a pod so that it is removed whatever happens, even when the client leaves while it is being made. */
import { fault } from '../../../shared/codes/fault.ts'
import { newId } from '../../../shared/id.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import type { Pod, PodName } from './api.ts'
import { asApiError, persist, whyOf } from './failure.ts'
import { labelValue } from './labels.ts'
import { type Console, namespaceOf, podBody } from './pod.ts'
import type { Room } from './room.ts'
import { type Look, PodError, waitFor } from './wait.ts'

/** Admission of a busy cluster takes seconds. */
const createMs = 30_000

/** Creates a pod and waits until `look` finds it ready; a pod that does not come so far is removed. @throws Fault */
export async function makePod(
  room: Room,
  who: Occupant,
  console: Console,
  look: Look<true>,
  log: Log,
  signal: AbortSignal,
): Promise<Pod> {
  const pod = await createPod(room, who, console, log, signal)
  await awaitPod(room, pod, look, log, signal, () => room.cleanup.remove(pod.metadata, log))
  return pod
}

/** A call is not interrupted by `signal`: the cluster would go on alone; whoever gives up has the pod removed. */
function createPod(room: Room, who: Occupant, console: Console, log: Log, signal: AbortSignal): Promise<Pod> {
  const { pod } = room.settings
  const { authenticatedUsername } = who.member
  if (labelValue(authenticatedUsername) === undefined) {
    log.emit('KUBERNETES_USERNAME_TOO_LONG', { length: authenticatedUsername.length })
  }
  const once = async (): Promise<Pod> => {
    log.emit('KUBERNETES_POD_CREATE', {})
    const creation = newId()
    const namespace = namespaceOf(pod)
    const body = podBody(pod, who, room.identity, console, creation)
    try {
      return await room.api.createPod(namespace, body, AbortSignal.timeout(createMs))
    } catch (error) {
      // There may be a pod all the same.
      const { statusCode, isUnsent } = asApiError(error)
      if (!isUnsent && (statusCode === 0 || statusCode >= 500)) room.cleanup.sweep(namespace, creation, log)
      throw error
    }
  }
  return persist(once, {
    signal,
    retrying: (labels, error) => log.emit('KUBERNETES_POD_CREATE_FAILED', { ...labels, why: whyOf(error) }),
    failed: (labels, cause) =>
      fault('KUBERNETES_POD_CREATE_FAILED', { ...labels, why: whyOf(cause) }, { cause, level: 'error' }),
  })
}

/** @throws Fault KUBERNETES_POD_WAIT_FAILED, after `undo` has begun */
export async function awaitPod(
  room: Room,
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
