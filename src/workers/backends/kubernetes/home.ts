/** The pod that a connection lives in: one of its own, one that it shares with others, or one that is always there. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import type { Plan } from '../guest/plan.ts'
import { shareNameOf } from '../share/name.ts'
import { launchOf } from './ahead.ts'
import type { Pod, PodName } from './api.ts'
import { awaitPod, createPod, nameOf } from './create.ts'
import { persist, whyOf } from './failure.ts'
import { commonRequest, type Furnished, furnish, furnishExisting, idling } from './furnish.ts'
import type { Guests } from './guest.ts'
import type { Helper } from './helper.ts'
import { consoleName, environmentOf, namespaceOf } from './pod.ts'
import type { Make } from './register.ts'
import type { Room } from './room.ts'
import { isRunning, isUp } from './wait.ts'

export interface Home {
  readonly pod: PodName
  readonly plan: Plan
  /** Undefined: our guest agent cannot be brought there. */
  readonly helper: Helper | undefined
  /** It ends with the connection, and all programs with it. */
  readonly isOwn: boolean
  /** Never rejects. */
  leave(): Promise<void>
}

export interface Seeker {
  readonly room: Room
  readonly guests: Guests
  readonly who: Occupant
  readonly log: Log
  /** Until a pod has to be there. */
  readonly signal: AbortSignal
  /** The connection is over. */
  readonly closing: AbortSignal
}

/** @throws Fault */
export async function findHome(seeker: Seeker): Promise<Home> {
  const { room, who } = seeker
  const { settings, identity } = room
  if (settings.pod.mode === 'persistent') {
    const found = await findPod(seeker)
    return homeOf(seeker, nameOf(found.pod), found, false, async () => undefined)
  }
  const share = shareNameOf(settings.share, identity.instance, launchOf(settings), who.member)
  return share === undefined ? ownHome(seeker) : sharedHome(seeker, `containerssh-share-${share}`)
}

/** In a pod that goes on, what is done in it goes on, too. */
function homeOf(
  { room, log, closing }: Seeker,
  pod: PodName,
  { plan, helper }: Omit<Furnished, 'pod'>,
  isOwn: boolean,
  leave: Home['leave'],
): Home {
  const ended = isOwn ? closing : new AbortController().signal
  const spot = { room, pod, container: consoleName(room.settings.pod), closing: ended }
  return { pod, plan, helper: helper(spot, log), isOwn, leave }
}

async function ownHome(seeker: Seeker): Promise<Home> {
  const { room, who, log, signal } = seeker
  const leaving = (pod: PodName) => (): Promise<void> => room.cleanup.remove(pod, log)
  const warm = await room.pools.claim(room, who, log, signal)
  if (warm !== undefined) {
    // Without a shell or an agent variables can only be given to the pod, when it is made.
    const { hasShell, agent } = warm.plan
    const isEnough = hasShell || agent !== undefined || environmentOf(room.settings.pod, who).size === 0
    if (isEnough) return homeOf(seeker, warm.pod, warm, true, leaving(warm.pod))
    room.cleanup.track(leaving(warm.pod)())
  }
  const made = await makeOwn(seeker)
  const pod = nameOf(made.pod)
  return homeOf(seeker, pod, made, true, leaving(pod))
}

const makeOwn = ({ room, guests, who, log, signal }: Seeker): Promise<Furnished> =>
  furnish(room, guests, (plan) => ({ who, console: idling(plan) }), isUp, log, signal)

async function sharedHome(seeker: Seeker, share: string): Promise<Home> {
  const { room, guests, who, log, signal } = seeker
  const { pod, share: settings } = room.settings
  const namespace = namespaceOf(pod)
  const make: Make = {
    namespace,
    create: async (name, marks, limited) =>
      createPod(room, { name, ...(await commonRequest(room, guests, log)), ...marks }, log, limited),
  }
  const stay = await room.shares.join({ share, connectionId: who.peer.connectionId, settings, make }, log, signal)
  const name = { namespace, name: share }
  const leave = async (): Promise<void> => stay.leave()
  try {
    return homeOf(seeker, name, await lookInto(seeker, name), false, leave)
  } catch (error) {
    await leave()
    throw error
  }
}

const lookInto = ({ room, guests, log, signal }: Seeker, pod: PodName): Promise<Omit<Furnished, 'pod'>> =>
  furnishExisting(guests, { room, pod, container: consoleName(room.settings.pod), closing: signal }, log, signal)

/** The pod that the configuration names, made if there is none and that is wanted. @throws Fault */
async function findPod(seeker: Seeker): Promise<Furnished> {
  const { room, log, signal } = seeker
  const { pod } = room.settings
  const name: PodName = { namespace: namespaceOf(pod), name: String(pod.metadata['name'] ?? '') }
  const podName = name.name
  const look = async (found: Pod): Promise<Furnished> => {
    await awaitPod(room, found, isRunning, log, signal)
    return { pod: found, ...(await lookInto(seeker, name)) }
  }
  const found = await persist(() => room.api.pod(name, signal), {
    signal,
    retrying: (labels, error) =>
      log.emit('KUBERNETES_POD_WAIT_FAILED', { podName, ...labels, why: whyOf(error) }, { level: 'debug' }),
    failed: ({ reason }, cause) =>
      fault('KUBERNETES_POD_WAIT_FAILED', { podName, reason, why: whyOf(cause) }, { cause }),
  })
  if (found !== undefined) return look(found)
  if (!pod.createMissingPods) throw fault('KUBERNETES_POD_NOT_FOUND', { podName })
  try {
    return await makeOwn(seeker)
  } catch (error) {
    // Somebody else has made it at the same time.
    const other = await room.api.pod(name, signal).catch(() => undefined)
    if (other === undefined) throw error
    return look(other)
  }
}
