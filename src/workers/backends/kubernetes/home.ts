/** The pod that a connection lives in: one of its own, one that it shares with others, or one that is always there. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import { shareNameOf } from '../share/name.ts'
import { launchOf } from './ahead.ts'
import type { Pod, PodName } from './api.ts'
import { awaitPod, createPod, makePod, nameOf } from './create.ts'
import { persist, whyOf } from './failure.ts'
import type { Guest } from './guest.ts'
import { environmentOf, idleCommand, namespaceOf } from './pod.ts'
import type { Make } from './register.ts'
import type { Room } from './room.ts'
import { isRunning, isUp } from './wait.ts'

export interface Home {
  readonly pod: PodName
  /** What is in its image, if that is known. */
  readonly by?: Guest
  /** It ends with the connection, and all programs with it. */
  readonly isOwn: boolean
  /** Never rejects. */
  leave(): Promise<void>
}

/** @throws Fault */
export async function findHome(room: Room, who: Occupant, log: Log, signal: AbortSignal): Promise<Home> {
  const { settings, identity } = room
  if (settings.pod.mode === 'persistent') {
    const pod = nameOf(await findPod(room, who, log, signal))
    return { pod, isOwn: false, leave: async () => undefined }
  }
  const share = shareNameOf(settings.share, identity.instance, launchOf(settings), who.member)
  return share === undefined
    ? ownHome(room, who, log, signal)
    : sharedHome(room, who, `containerssh-share-${share}`, log, signal)
}

async function ownHome(room: Room, who: Occupant, log: Log, signal: AbortSignal): Promise<Home> {
  const leaving = (pod: PodName) => (): Promise<void> => room.cleanup.remove(pod, log)
  const warm = await room.pools.claim(room, who, log, signal)
  if (warm !== undefined) {
    // Without a shell or an agent variables can only be given to the pod, when it is made.
    const isEnough = warm.by !== 'none' || environmentOf(room.settings.pod, who).size === 0
    if (isEnough) return { ...warm, isOwn: true, leave: leaving(warm.pod) }
    room.cleanup.track(leaving(warm.pod)())
  }
  const pod = nameOf(await makeOwn(room, who, log, signal))
  return { pod, isOwn: true, leave: leaving(pod) }
}

const makeOwn = (room: Room, who: Occupant, log: Log, signal: AbortSignal): Promise<Pod> =>
  makePod(room, { who, console: { command: idleCommand(room.settings.pod) } }, isUp, log, signal)

async function sharedHome(room: Room, who: Occupant, share: string, log: Log, signal: AbortSignal): Promise<Home> {
  const { pod, share: settings } = room.settings
  const namespace = namespaceOf(pod)
  const make: Make = {
    namespace,
    create: (name, marks, limited) =>
      createPod(room, { name, console: { command: idleCommand(pod) }, ...marks }, log, limited),
  }
  const stay = await room.shares.join({ share, connectionId: who.peer.connectionId, settings, make }, log, signal)
  return { pod: { namespace, name: share }, isOwn: false, leave: async () => stay.leave() }
}

/** The pod that the configuration names, made if there is none and that is wanted. @throws Fault */
async function findPod(room: Room, who: Occupant, log: Log, signal: AbortSignal): Promise<Pod> {
  const { pod } = room.settings
  const name: PodName = { namespace: namespaceOf(pod), name: String(pod.metadata['name'] ?? '') }
  const podName = name.name
  const found = await persist(() => room.api.pod(name, signal), {
    signal,
    retrying: (labels, error) =>
      log.emit('KUBERNETES_POD_WAIT_FAILED', { podName, ...labels, why: whyOf(error) }, { level: 'debug' }),
    failed: ({ reason }, cause) =>
      fault('KUBERNETES_POD_WAIT_FAILED', { podName, reason, why: whyOf(cause) }, { cause }),
  })
  if (found !== undefined) {
    await awaitPod(room, found, isRunning, log, signal)
    return found
  }
  if (!pod.createMissingPods) throw fault('KUBERNETES_POD_NOT_FOUND', { podName })
  try {
    return await makeOwn(room, who, log, signal)
  } catch (error) {
    // Somebody else has made it at the same time.
    const other = await room.api.pod(name, signal).catch(() => undefined)
    if (other === undefined) throw error
    await awaitPod(room, other, isRunning, log, signal)
    return other
  }
}
