/** How pods end that nobody waits for: one watch for all of ours in a namespace. */
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { backoff } from '../../../shared/retry.ts'
import type { Watcher } from '../pool/nursery.ts'
import type { Api, PodName } from './api.ts'
import { ApiError, asApiError } from './failure.ts'
import { isOver } from './wait.ts'

export interface Ends extends AsyncDisposable {
  /** The first call in a namespace opens the watch. Returns the end of watching. */
  watch(pod: PodName, watcher: Watcher): () => void
}

/** A server ends each watch sooner; one that says nothing any more is not believed for ever. */
const mostWatchMs = 300_000

/** `labelled`: of the pods, a selector. */
export function createEnds(api: Api, labelled: string, log: Log): Ends {
  /** By namespace, then by name. */
  const watchers = new Map<string, Map<string, Watcher>>()
  const closing = new AbortController()
  const following = new Set<Promise<void>>()

  /** @throws ApiError when the watch is over, which every one is after a while */
  const see = async (namespace: string, ours: Map<string, Watcher>, listed: () => void): Promise<void> => {
    const list = await api.podList(namespace, labelled, closing.signal)
    listed()
    const found = new Map(list.pods.map((pod) => [pod.metadata.name, pod]))
    for (const [name, watcher] of [...ours]) {
      const pod = found.get(name)
      if (pod === undefined) watcher.missed()
      else if (isOver(pod)) watcher.ended()
    }
    for (let version = list.version; !closing.signal.aborted; ) {
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(mostWatchMs)])
      for await (const event of api.watchPods(namespace, labelled, version, signal)) {
        if (event.type === 'ERROR') throw new ApiError(event.object.code ?? 0, event.object.message ?? 'it failed')
        version = event.object.metadata.resourceVersion ?? version
        if (event.type === 'BOOKMARK') continue
        if (event.type === 'DELETED' || isOver(event.object)) ours.get(event.object.metadata.name)?.ended()
      }
    }
  }
  const follow = async (namespace: string, ours: Map<string, Watcher>): Promise<void> => {
    const pauses = backoff(200, 5000)
    while (!closing.signal.aborted) {
      await see(namespace, ours, pauses.reset).catch(async (thrown: unknown) => {
        const { statusCode, message } = asApiError(thrown)
        if (closing.signal.aborted) return
        // The version is too old to go on from: the list tells what has happened since.
        if (statusCode !== 410) log.emit('KUBERNETES_WATCH_FAILED', { namespace, reason: message })
        await sleep(pauses.next(), closing.signal)
      })
    }
  }
  return {
    watch({ namespace, name }, watcher) {
      const known = watchers.get(namespace)
      const ours = known ?? new Map<string, Watcher>()
      ours.set(name, watcher)
      watchers.set(namespace, ours)
      if (known === undefined) following.add(follow(namespace, ours))
      return () => void ours.delete(name)
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      await Promise.all(following)
    },
  }
}
