/** The calls of the Kubernetes API that we make, typed as far as we look. Every one throws `ApiError` only. */
import type { Client } from './client.ts'
import { ApiError } from './failure.ts'
import { type End, openStream, type PodStream } from './stream.ts'

/** https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/, the part that we read. */
export interface Pod {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid?: string
    readonly resourceVersion?: string
    readonly deletionTimestamp?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: { readonly nodeName?: string }
  readonly status?: {
    readonly phase?: string
    readonly reason?: string
    readonly message?: string
    readonly conditions?: readonly Condition[]
    readonly containerStatuses?: readonly ContainerStatus[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
  }
}
export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}
export interface ContainerStatus {
  readonly name: string
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string }
    readonly running?: object
    readonly terminated?: Terminated
  }
  /** Of the container before this one, when it was started again. */
  readonly lastState?: { readonly terminated?: Terminated }
}
export interface Terminated {
  readonly exitCode: number
  readonly signal?: number
  readonly reason?: string
  readonly message?: string
  readonly finishedAt?: string
}
export type PodEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: Pod }
  | { readonly type: 'BOOKMARK'; readonly object: { readonly metadata: { readonly resourceVersion?: string } } }
  | { readonly type: 'ERROR'; readonly object: { readonly message?: string; readonly code?: number } }

/** RFC 6902. A `test` that does not hold leaves all as it was, and is ApiError 422. */
export type PatchStep =
  | { readonly op: 'add' | 'test'; readonly path: string; readonly value: string }
  | { readonly op: 'remove'; readonly path: string }

/** RFC 7396: null removes. */
export interface MergePatch {
  readonly metadata: { readonly annotations: Readonly<Record<string, string | null>> }
}

/** The path of a label or an annotation (RFC 6901 section 3). */
export const patchPath = (what: 'labels' | 'annotations', name: string): string =>
  `/metadata/${what}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`

/** Of a namespace, at one moment. */
export interface PodList {
  readonly version: string
  readonly pods: readonly Pod[]
}

export interface PodName {
  readonly namespace: string
  readonly name: string
}
export interface ExecSpec {
  readonly container: string
  readonly command: readonly string[]
  readonly tty: boolean
  readonly stdin: boolean
}

export interface Api {
  createPod(namespace: string, body: object, signal: AbortSignal): Promise<Pod>
  /** Undefined: there is none. */
  pod(pod: PodName, signal: AbortSignal): Promise<Pod | undefined>
  /** False: it was gone. */
  deletePod(pod: PodName, graceSeconds: number | undefined, signal: AbortSignal): Promise<boolean>
  /** False: it was gone, or has changed since it was seen like this. */
  deleteUnchanged(pod: Pod, signal: AbortSignal): Promise<boolean>
  /** All steps or none. Gives the pod as it is then; undefined: there is none. */
  patchPod(pod: PodName, steps: readonly PatchStep[] | MergePatch, signal: AbortSignal): Promise<Pod | undefined>
  podList(namespace: string, labelSelector: string, signal: AbortSignal): Promise<PodList>
  listPods(namespace: string, labelSelector: string, signal: AbortSignal): Promise<readonly Pod[]>
  /** Changes of one pod from that version on, until the server ends it, which it does every few minutes. */
  watchPod(pod: PodName, resourceVersion: string, signal: AbortSignal): AsyncGenerator<PodEvent>
  /** The same of all pods with the label, with a word about the version from time to time. */
  watchPods(
    namespace: string,
    labelSelector: string,
    resourceVersion: string,
    signal: AbortSignal,
  ): AsyncGenerator<PodEvent>
  exec(pod: PodName, spec: ExecSpec, signal: AbortSignal): Promise<PodStream>
  attach(pod: PodName, spec: Omit<ExecSpec, 'command'>, signal: AbortSignal): Promise<PodStream>
  /** To a port at which a program of the pod listens, on its loopback interface. The outputs are what it says, and complaints. */
  portForward(pod: PodName, port: number, signal: AbortSignal): Promise<PodStream>
  close(): Promise<void>
}

const podsOf = (namespace: string): string => `/namespaces/${encodeURIComponent(namespace)}/pods`
const pathOf = ({ namespace, name }: PodName): string => `${podsOf(namespace)}/${encodeURIComponent(name)}`
/** Of a watch; the server would choose between 30 and 60 minutes, longer than some proxies let it. */
const watchSeconds = 240

/** Of a list: pods of a few thousand bytes each. */
const mostInPage = 250
interface Page {
  readonly items: readonly Pod[]
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
}

export function createApi(client: Client): Api {
  const stream = (path: string, query: URLSearchParams, signal: AbortSignal, end: End = 'program') =>
    client.stream(path, query, signal, (door) => openStream(door, end, signal))
  const podList = async (namespace: string, labelSelector: string, signal: AbortSignal): Promise<PodList> => {
    const pods: Pod[] = []
    for (let rest = ''; ; ) {
      const query = { labelSelector, limit: mostInPage, ...(rest !== '' && { continue: rest }) }
      const page = await client.request({ method: 'GET', path: podsOf(namespace), query }, signal)
      const { items, metadata } = page as Page // the API's own contract
      pods.push(...items)
      rest = metadata.continue ?? ''
      if (rest === '') return { version: metadata.resourceVersion, pods }
    }
  }
  const watch = (namespace: string, which: object, resourceVersion: string, signal: AbortSignal) => {
    const query = { ...which, watch: true, resourceVersion, timeoutSeconds: watchSeconds }
    const lines = client.lines({ method: 'GET', path: podsOf(namespace), query }, signal)
    return lines as AsyncGenerator<PodEvent> // the API's own contract
  }
  return {
    createPod: async (namespace, body, signal) =>
      (await client.request({ method: 'POST', path: podsOf(namespace), body }, signal)) as Pod,
    pod: (pod, signal) =>
      orUndefined(async () => (await client.request({ method: 'GET', path: pathOf(pod) }, signal)) as Pod),
    async deletePod(pod, graceSeconds, signal) {
      const query = graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }
      const call = { method: 'DELETE', path: pathOf(pod), query } as const
      return (await orUndefined(() => client.request(call, signal))) !== undefined
    },
    async deleteUnchanged({ metadata }, signal) {
      const { uid, resourceVersion } = metadata
      const call = {
        method: 'DELETE',
        path: pathOf(metadata),
        body: { preconditions: { uid, resourceVersion } },
      } as const
      try {
        return (await orUndefined(() => client.request(call, signal))) !== undefined
      } catch (error) {
        if (error instanceof ApiError && error.statusCode === 409) return false
        throw error
      }
    },
    patchPod(pod, body, signal) {
      const contentType = `application/${Array.isArray(body) ? 'json-patch' : 'merge-patch'}+json`
      const call = { method: 'PATCH', path: pathOf(pod), body, contentType } as const
      return orUndefined(async () => (await client.request(call, signal)) as Pod) // the API's own contract
    },
    podList,
    listPods: async (...args) => (await podList(...args)).pods,
    watchPod: (pod, version, signal) =>
      watch(pod.namespace, { fieldSelector: `metadata.name=${pod.name}` }, version, signal),
    watchPods: (namespace, labelSelector, version, signal) =>
      watch(namespace, { labelSelector, allowWatchBookmarks: true }, version, signal),
    exec(pod, spec, signal) {
      const query = streamQuery(spec)
      for (const word of spec.command) query.append('command', word)
      return stream(`${pathOf(pod)}/exec`, query, signal)
    },
    attach: (pod, spec, signal) => stream(`${pathOf(pod)}/attach`, streamQuery(spec), signal),
    portForward: (pod, port, signal) =>
      stream(`${pathOf(pod)}/portforward`, new URLSearchParams({ ports: String(port) }), signal, 'port'),
    close: client.close,
  }
}

function streamQuery({ container, tty, stdin }: Omit<ExecSpec, 'command'>): URLSearchParams {
  const query = new URLSearchParams({ container, stdout: 'true' })
  if (stdin) query.set('stdin', 'true')
  // A terminal has one output; the server accepts both, the runtime would not.
  query.set(tty ? 'tty' : 'stderr', 'true')
  return query
}

async function orUndefined<T>(task: () => Promise<T>): Promise<T | undefined> {
  try {
    return await task()
  } catch (error) {
    if (error instanceof ApiError && error.statusCode === 404) return undefined
    throw error
  }
}
