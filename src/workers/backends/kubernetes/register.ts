/**
 * Which pods are shared: whoever comes adds an annotation, whoever leaves takes his away, and a pod is removed only as it
 * was when nobody was in it. So the API server decides every race.
 */
import { asFault, Fault, fault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Identity } from '../../../shared/identity.ts'
import type { Log } from '../../../shared/log.ts'
import { backoff } from '../../../shared/retry.ts'
import type { News, Place, Register, Visit } from '../share/register.ts'
import { type Api, type PatchStep, type Pod, type PodName, patchPath } from './api.ts'
import { awaitPod } from './create.ts'
import { ApiError, asApiError, persist } from './failure.ts'
import { label } from './labels.ts'
import type { Marks } from './pod.ts'
import { createResidents, type Residents } from './residents.ts'
import type { Room } from './room.ts'
import { isOver, isRunning, waitGone } from './wait.ts'

export interface Make {
  readonly namespace: string
  /** Creates the pod and does not wait for it. A name that is taken is a Fault with status code 409. */
  create(name: string, marks: Marks, signal: AbortSignal): Promise<Pod>
}

type Common = Pick<Room, 'api' | 'cleanup' | 'leases'>
/** What finding and ending take. */
interface Books {
  readonly api: Api
  readonly residents: Residents
}

/** Tried again as long as that may help. @throws Fault */
const ask = <T>(task: () => Promise<T>, log: Log, signal: AbortSignal): Promise<T> =>
  persist(task, {
    signal,
    retrying: (labels) => log.emit('KUBERNETES_SHARE_FAILED', { ...labels }, { level: 'debug' }),
    failed: (labels, cause) => fault('KUBERNETES_SHARE_FAILED', { ...labels }, { cause }),
  })

/** `namespaces`: those in which there may be shared pods. */
export function createRegister(common: Common, identity: Identity, namespaces: () => Iterable<string>): Register<Make> {
  const { api } = common
  const residents = createResidents(identity, common.leases)
  const books: Books = { api, residents }
  const annotate = async (pod: PodName, annotations: Readonly<Record<string, string | null>>, signal: AbortSignal) => {
    await api.patchPod(pod, { metadata: { annotations } }, signal)
  }
  return {
    async enter(visit, limit, make, log, signal) {
      const pod = await findOrMake(books, visit, limit, make, log, signal)
      if (pod === undefined) return undefined
      await awaitPod(common, pod, isRunning, log, signal)
      return residents.members(pod)
    },
    async leave({ id, connectionId }, lingers, log, signal) {
      if (id === '') return
      const pod = nameIn(id)
      const lingering = lingers ? [await residents.come(pod.namespace, 'lingering', connectionId)] : []
      const marks = { ...Object.fromEntries(lingering), [residents.go('member', connectionId)]: null }
      await ask(() => annotate(pod, marks, signal), log, signal)
    },
    stopLingering({ id, connectionId }, log, signal) {
      const mark = residents.go('lingering', connectionId)
      return ask(() => annotate(nameIn(id), { [mark]: null }, signal), log, signal)
    },
    endUnused: ({ id }, log, signal) => endUnused(books, nameIn(id), log, signal),
    async unused(signal) {
      const found: Place[] = []
      for (const namespace of namespaces()) {
        for (const pod of await api.listPods(namespace, label.share, signal)) {
          const { alive, dead } = residents.of(pod)
          if (alive.length === 0) found.push({ share: pod.metadata.name, id: idOf(pod.metadata) })
          else if (dead.length > 0)
            await annotate(pod.metadata, Object.fromEntries(dead.map((one) => [one, null])), signal)
        }
      }
      return found
    },
    tell,
  }
}

const tell: News = {
  joined: ({ id, share }, connections, log) =>
    log.emit('KUBERNETES_SHARE_JOINED', { podName: nameIn(id).name, share, connections }),
  leaveFailed: ({ id, share }, error, log) =>
    log.emit('KUBERNETES_SHARE_LEAVE_FAILED', { podName: nameIn(id).name, share }, { cause: asFault(error) }),
  full: (limit) => fault('KUBERNETES_SHARE_FULL', { limit }),
  failed: (error) => fault('KUBERNETES_SHARE_FAILED', {}, { cause: asApiError(error) }),
}

/** With the visitor in it, running or about to; undefined: it is full. */
async function findOrMake(
  books: Books,
  visit: Visit,
  limit: number,
  { namespace, create }: Make,
  log: Log,
  signal: AbortSignal,
): Promise<Pod | undefined> {
  const { api, residents } = books
  const name: PodName = { namespace, name: visit.share }
  visit.id = idOf(name)
  const mark = await residents.come(namespace, 'member', visit.connectionId)
  const marks: Marks = { labels: { [label.share]: visit.share }, annotations: Object.fromEntries([mark]) }
  for (const pauses = backoff(20, 500); ; await sleep(pauses.next(), signal)) {
    signal.throwIfAborted()
    const found = await ask(() => api.pod(name, signal), log, signal)
    if (found === undefined) {
      const made = await create(name.name, marks, signal).catch(orTaken)
      if (made !== undefined) return made
    } else if (isOver(found)) {
      if (found.metadata.deletionTimestamp === undefined)
        await ask(() => api.deleteUnchanged(found, signal), log, signal)
      else await ask(() => waitGone(api, found, signal), log, signal)
    } else {
      if (limit > 0 && residents.members(found) >= limit) return undefined
      const moved = await ask(() => moveIn(api, found, mark, limit > 0, signal), log, signal)
      if (moved !== undefined) return moved
    }
  }
}

/** `isCounted`: those who come for the last place must not both find it free. Undefined: it has changed, look again. */
async function moveIn(
  api: Api,
  pod: Pod,
  [name, value]: readonly [string, string],
  isCounted: boolean,
  signal: AbortSignal,
): Promise<Pod | undefined> {
  const { uid = '', resourceVersion = '' } = pod.metadata
  const steps: PatchStep[] = [
    isCounted
      ? { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }
      : { op: 'test', path: '/metadata/uid', value: uid },
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

/** Removes a pod unless somebody is in it; false: somebody is, or it is gone. */
async function endUnused({ api, residents }: Books, name: PodName, log: Log, signal: AbortSignal): Promise<boolean> {
  for (const pauses = backoff(20, 500); ; await sleep(pauses.next(), signal)) {
    signal.throwIfAborted()
    const pod = await api.pod(name, signal)
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return false
    if (residents.of(pod).alive.length > 0) return false
    log.emit('KUBERNETES_POD_REMOVE', { podName: name.name })
    if (!(await api.deleteUnchanged(pod, signal))) continue
    log.emit('KUBERNETES_POD_REMOVE_SUCCESSFUL', { podName: name.name })
    return true
  }
}

const idOf = ({ namespace, name }: PodName): string => `${namespace}/${name}`
function nameIn(id: string): PodName {
  const at = id.indexOf('/')
  return { namespace: id.slice(0, at), name: id.slice(at + 1) }
}

function orTaken(error: unknown): undefined {
  if (!(error instanceof Fault) || error.labels['statusCode'] !== 409) throw error
}
