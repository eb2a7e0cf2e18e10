/**
 * Who is in which shared pod: its annotations say so. Whoever comes adds one, whoever leaves takes his away, and a pod is
 * removed only as it was when nobody was in it: so the API server decides every race.
 */
import { asFault, Fault, fault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Identity } from '../../../shared/identity.ts'
import type { Log } from '../../../shared/log.ts'
import { backoff } from '../../../shared/retry.ts'
import type { Place, Register, Visit } from '../share/register.ts'
import { type PatchStep, type Pod, type PodName, patchPath } from './api.ts'
import { awaitPod } from './create.ts'
import { ApiError, asApiError } from './failure.ts'
import { label } from './labels.ts'
import type { Marks } from './pod.ts'
import type { Room } from './room.ts'
import { isOver, isRunning, waitGone } from './wait.ts'

export interface Make {
  readonly namespace: string
  /** Creates the pod and does not wait for it. A name that is taken is a Fault with status code 409. */
  create(name: string, marks: Marks, signal: AbortSignal): Promise<Pod>
}

type Common = Pick<Room, 'api' | 'cleanup' | 'leases'>
type Kind = 'member' | 'lingering'

/** Then the name of the connection; its value is the owner, and whether that holds a lease. */
const prefixes = { member: 'containerssh_member_', lingering: 'containerssh_lingering_' } as const
const leasedSuffix = ' leased'

/** What this process made and has not dropped: any other with its label is a drop that failed. */
const mine = new Set<string>()

/** `namespaces`: those in which there may be shared pods. */
export function createRegister(
  common: Common,
  { owner }: Identity,
  namespaces: () => Iterable<string>,
): Register<Make> {
  const { api, leases } = common
  const markOf = async (namespace: string, kind: Kind, connectionId: string): Promise<readonly [string, string]> => {
    const name = prefixes[kind] + connectionId
    mine.add(name)
    return [name, owner + ((await leases.hold(namespace)) ? leasedSuffix : '')]
  }
  const isAlive = (namespace: string, name: string, value: string): boolean => {
    const isLeased = value.endsWith(leasedSuffix)
    const who = isLeased ? value.slice(0, -leasedSuffix.length) : value
    return who === owner ? mine.has(name) : !leases.isDead(namespace, who, isLeased)
  }
  const alive = ({ metadata: { namespace, annotations = {} } }: Pod): readonly string[] =>
    marksIn(annotations).filter((name) => isAlive(namespace, name, annotations[name] ?? ''))
  const membersOf = (pod: Pod): number => alive(pod).filter((name) => name.startsWith(prefixes.member)).length

  /** In the pod as it is; undefined: it has to be looked at again. */
  const moveIn = async (pod: Pod, mark: readonly [string, string], limit: number, signal: AbortSignal) => {
    const { uid = '', resourceVersion = '' } = pod.metadata
    const [name, value] = mark
    const steps: PatchStep[] = [
      { op: 'test', path: '/metadata/uid', value: uid },
      // Those who come for the last place must not both find it free.
      ...(limit > 0 ? [{ op: 'test', path: '/metadata/resourceVersion', value: resourceVersion } as const] : []),
      { op: 'add', path: patchPath('annotations', name), value },
    ]
    try {
      const moved = await api.patchPod(pod.metadata, steps, signal)
      return moved === undefined || isOver(moved) ? undefined : moved
    } catch (error) {
      if (error instanceof ApiError && (error.statusCode === 422 || error.statusCode === 409)) return undefined
      throw error
    }
  }
  const findOrMake = async (visit: Visit, limit: number, make: Make, signal: AbortSignal): Promise<Pod | 'full'> => {
    const name: PodName = { namespace: make.namespace, name: visit.share }
    visit.id = idOf(name)
    const mark = await markOf(name.namespace, 'member', visit.connectionId)
    const marks: Marks = { labels: { [label.share]: visit.share }, annotations: { [mark[0]]: mark[1] } }
    for (const pauses = backoff(20, 500); ; await sleep(pauses.next(), signal)) {
      signal.throwIfAborted()
      const found = await api.pod(name, signal)
      if (found === undefined) {
        const made = await make.create(name.name, marks, signal).catch(orTaken)
        if (made !== undefined) return made
      } else if (isOver(found)) {
        if (found.metadata.deletionTimestamp === undefined) await api.deleteUnchanged(found, signal)
        else await waitGone(api, found, signal)
      } else {
        if (limit > 0 && membersOf(found) >= limit) return 'full'
        const moved = await moveIn(found, mark, limit, signal)
        if (moved !== undefined) return moved
      }
    }
  }
  const endUnused = async ({ id }: Place, log: Log, signal: AbortSignal): Promise<boolean> => {
    const name = nameIn(id)
    for (const pauses = backoff(20, 500); ; await sleep(pauses.next(), signal)) {
      signal.throwIfAborted()
      const pod = await api.pod(name, signal)
      if (pod === undefined || pod.metadata.deletionTimestamp !== undefined || alive(pod).length > 0) return false
      log.emit('KUBERNETES_POD_REMOVE', { podName: name.name })
      if (!(await api.deleteUnchanged(pod, signal))) continue
      log.emit('KUBERNETES_POD_REMOVE_SUCCESSFUL', { podName: name.name })
      return true
    }
  }
  return {
    async enter(visit, limit, make, log, signal) {
      const pod = await findOrMake(visit, limit, make, signal)
      if (pod === 'full') return undefined
      await awaitPod(common, pod, isRunning, log, signal)
      return membersOf(pod)
    },
    async leave({ id, connectionId }, lingers, signal) {
      if (id === '') return
      const { namespace, name } = nameIn(id)
      const lingering = lingers ? [await markOf(namespace, 'lingering', connectionId)] : []
      const member = prefixes.member + connectionId
      mine.delete(member)
      const annotations = { ...Object.fromEntries(lingering), [member]: null }
      await api.patchPod({ namespace, name }, { metadata: { annotations } }, signal)
    },
    async stopLingering({ id, connectionId }, signal) {
      const lingering = prefixes.lingering + connectionId
      mine.delete(lingering)
      await api.patchPod(nameIn(id), { metadata: { annotations: { [lingering]: null } } }, signal)
    },
    endUnused,
    async unused(signal) {
      const found: Place[] = []
      for (const namespace of namespaces()) {
        for (const pod of await api.listPods(namespace, label.share, signal)) {
          const there = new Set(alive(pod))
          const gone = marksIn(pod.metadata.annotations ?? {}).filter((name) => !there.has(name))
          if (there.size === 0) found.push({ share: pod.metadata.name, id: idOf(pod.metadata) })
          else if (gone.length > 0) await forget(pod, gone, signal)
        }
      }
      return found
    },
    tell: {
      joined: ({ id, share }, connections, log) =>
        log.emit('KUBERNETES_SHARE_JOINED', { podName: nameIn(id).name, share, connections }),
      leaveFailed: ({ id, share }, error, log) =>
        log.emit('KUBERNETES_SHARE_LEAVE_FAILED', { podName: nameIn(id).name, share }, { cause: asFault(error) }),
      full: (limit) => fault('KUBERNETES_SHARE_FULL', { limit }),
      failed: (error) => fault('KUBERNETES_SHARE_FAILED', {}, { cause: asApiError(error) }),
    },
  }

  /** What the dead left on a pod that others are in. */
  async function forget({ metadata }: Pod, gone: readonly string[], signal: AbortSignal): Promise<void> {
    const annotations = Object.fromEntries(gone.map((name) => [name, null]))
    await api.patchPod(metadata, { metadata: { annotations } }, signal)
  }
}

const marksIn = (annotations: Readonly<Record<string, string>>): readonly string[] =>
  Object.keys(annotations).filter((name) => Object.values(prefixes).some((prefix) => name.startsWith(prefix)))

const idOf = ({ namespace, name }: PodName): string => `${namespace}/${name}`
function nameIn(id: string): PodName {
  const at = id.indexOf('/')
  return { namespace: id.slice(0, at), name: id.slice(at + 1) }
}

function orTaken(error: unknown): undefined {
  if (!(error instanceof Fault) || error.labels['statusCode'] !== 409) throw error
}
