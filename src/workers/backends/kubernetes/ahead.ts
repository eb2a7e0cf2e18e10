/**
 * Pods that are made ahead. One is given away by a patch of its labels that holds only as long as nobody else has it;
 * what a pod gets for its user when it is made, his environment, is given to each program instead.
 */
import { createHash } from 'node:crypto'
import { asFault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Turns } from '../../../shared/turns.ts'
import type { Occupant } from '../../ports.ts'
import type { Plan } from '../guest/plan.ts'
import type { Nursery, PoolKind } from '../pool/nursery.ts'
import { type PatchStep, type Pod, type PodName, patchPath } from './api.ts'
import { nameOf, tellLongName } from './create.ts'
import type { Ends } from './ends.ts'
import { ApiError } from './failure.ts'
import { type Furnished, furnish, idling } from './furnish.ts'
import type { Guests } from './guest.ts'
import { label } from './labels.ts'
import { occupantMarks, type PodRequest } from './pod.ts'
import type { KubernetesSettings, Room } from './room.ts'
import { isOver, isRunning } from './wait.ts'

export interface Ready extends Omit<Furnished, 'pod'> {
  readonly pod: PodName
}

/** All of the settings that make a pod what it is. */
export function launchOf({ pod }: KubernetesSettings): string {
  const { metadata, spec, consoleContainerNumber, idleCommand, subsystems, sftp } = pod
  const { agentPath, disableAgent, agentMode, agentImage, agentBinary } = pod
  const guest = [agentPath, disableAgent, agentMode, agentImage, agentBinary]
  return JSON.stringify([metadata, spec, consoleContainerNumber, idleCommand, subsystems, sftp, guest])
}

/** Undefined: pods of these settings cannot be made ahead. */
function profileOf(settings: KubernetesSettings): string | undefined {
  const { pod, pool, share } = settings
  if (pool.min === 0 || pod.mode !== 'connection' || (pod.metadata['name'] ?? '') !== '') return undefined
  if (share.by !== 'none') return undefined
  return createHash('sha256').update(launchOf(settings)).digest('hex').slice(0, 16)
}

export interface Means {
  readonly guests: Guests
  readonly ends: Ends
  /** To have a pod started. */
  readonly starts: Turns
}

/** `log`: of the pools. */
export const aheadOf = (means: Means, log: Log): PoolKind<Room, Ready> => ({
  settings: ({ settings }) => settings.pool,
  profile: ({ settings }) => profileOf(settings),
  nursery: (room, profile) => createNursery(room, profile, means, log),
})

function createNursery(room: Room, profile: string, means: Means, log: Log): Nursery<Ready> {
  const { api, cleanup } = room
  const isReady = (pod: Pod): boolean => !isOver(pod) && isUpNow(pod)
  const isRunning = async ({ pod }: Ready, signal: AbortSignal): Promise<boolean> => {
    const found = await api.pod(pod, signal)
    return found !== undefined && found.metadata.labels?.[label.pool] === profile && isReady(found)
  }
  return {
    make: (signal) => makeAhead(room, profile, means, log, signal),
    watch: ({ pod }, watcher) => means.ends.watch(pod, watcher),
    isRunning,
    async give(one, who, log, signal) {
      tellLongName(who, log)
      try {
        const given = await api.patchPod(one.pod, claim(room, profile, who), signal)
        return given !== undefined && isReady(given)
      } catch (error) {
        // Somebody else has it, unless it is his labels that the API server does not take.
        if (!(error instanceof ApiError) || error.statusCode !== 422 || (await isRunning(one, signal))) throw error
        return false
      }
    },
    remove: ({ pod }, log) => cleanup.remove(pod, log),
    // What a name of an image means is the node's secret.
    stale: async () => [],
    tell: {
      filled: ({ pod }, ready) => log.emit('KUBERNETES_POOL_FILLED', { podName: pod.name, profile, ready }),
      fillFailed: (error) => log.emit('KUBERNETES_POOL_FILL_FAILED', { profile }, { cause: asFault(error) }),
      claimed: ({ pod }, ready, log) => log.emit('KUBERNETES_POOL_CLAIMED', { podName: pod.name, ready }),
      empty: (log) => log.emit('KUBERNETES_POOL_EMPTY', { profile }),
      lost: ({ pod }, log) => log.emit('KUBERNETES_POOL_POD_LOST', { podName: pod.name }),
    },
  }
}

const isUpNow = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true

/** Of two who want it one finds it taken. */
function claim({ settings, identity }: Room, profile: string, who: Occupant): PatchStep[] {
  const { labels, annotations } = occupantMarks(settings.pod, who)
  const add = (what: 'labels' | 'annotations', marks: Readonly<Record<string, string>>): PatchStep[] =>
    Object.entries(marks).map(([name, value]) => ({ op: 'add', path: patchPath(what, name), value }))
  return [
    { op: 'test', path: patchPath('labels', label.pool), value: profile },
    { op: 'test', path: patchPath('labels', label.owner), value: identity.owner },
    { op: 'remove', path: patchPath('labels', label.pool) },
    ...add('labels', labels),
    ...add('annotations', annotations),
  ]
}

/** @throws Fault */
async function makeAhead(
  room: Room,
  profile: string,
  { guests, starts }: Means,
  log: Log,
  signal: AbortSignal,
): Promise<Ready> {
  const { settings, cleanup } = room
  if (!(await starts.enter(signal))) throw new Error('too many pods are being started')
  try {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(settings.timeouts.podStart)])
    const requestOf = (plan: Plan): PodRequest => ({ console: idling(plan), labels: { [label.pool]: profile } })
    const made = await furnish(room, guests, requestOf, isRunning, log, deadline)
    const pod = nameOf(made.pod)
    try {
      signal.throwIfAborted()
      return { ...made, pod }
    } catch (error) {
      cleanup.track(cleanup.remove(pod, log))
      throw error
    }
  } finally {
    starts.leave()
  }
}
