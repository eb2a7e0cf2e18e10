/** Pods that have to go. Removal is never lost: it is tried in the background and the worker waits for it at its end. */
import { asFault, fault } from '../../../shared/codes/fault.ts'
import { sleep, within } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Api, PodName } from './api.ts'
import { persist } from './failure.ts'
import { label } from './labels.ts'

/** A creation that was given up may still be under way in the cluster. */
const sweepAfterMs = [0, 1000, 5000] as const

export interface Cleanup extends AsyncDisposable {
  /** Removes a pod with a deadline of its own. Never rejects; a failure is in the log. */
  remove(pod: PodName, log: Log): Promise<void>
  /** Removes the pod of a creation whose answer did not come, in the background. */
  sweep(namespace: string, creation: string, log: Log): void
  /** Has the worker wait for something at its end that goes on without its owner. */
  track(task: Promise<unknown>): void
  /** Could not be removed: the reaper tries again. */
  abandon(pod: PodName): void
  /** Pods that could not be removed in time; for the next round of the reaper. */
  takeAbandoned(): readonly PodName[]
}

export function createCleanup(api: Api, timeoutMs: number): Cleanup {
  const pending = new Set<Promise<unknown>>()
  let abandoned: PodName[] = []
  const track = (task: Promise<unknown>): void => {
    const settled = task.catch(() => undefined).then(() => void pending.delete(settled))
    pending.add(settled)
  }
  const removeNow = async (pod: PodName, log: Log): Promise<void> => {
    const podName = pod.name
    log.emit('KUBERNETES_POD_REMOVE', { podName })
    const deadline = AbortSignal.timeout(timeoutMs)
    try {
      await persist(() => api.deletePod(pod, undefined, deadline), {
        signal: deadline,
        retrying: (labels) => log.emit('KUBERNETES_POD_REMOVE_FAILED', { podName, ...labels }),
        failed: (labels, cause) =>
          fault('KUBERNETES_POD_REMOVE_FAILED', { podName, ...labels }, { cause, level: 'error' }),
      })
      log.emit('KUBERNETES_POD_REMOVE_SUCCESSFUL', { podName })
    } catch (error) {
      abandoned.push(pod)
      log.fault(asFault(error))
    }
  }
  const remove = (pod: PodName, log: Log): Promise<void> => {
    const task = removeNow(pod, log)
    track(task)
    return task
  }
  const sweepNow = async (namespace: string, creation: string, log: Log): Promise<void> => {
    for (const pauseMs of sweepAfterMs) {
      await sleep(pauseMs)
      const signal = AbortSignal.timeout(timeoutMs)
      const found = await api.listPods(namespace, `${label.creation}=${creation}`, signal).catch(() => [])
      for (const { metadata } of found) await remove(metadata, log)
      if (found.length > 0) return // one creation, one pod
    }
  }
  return {
    track,
    remove,
    sweep: (namespace, creation, log) => track(sweepNow(namespace, creation, log)),
    abandon: (pod) => void abandoned.push(pod),
    takeAbandoned() {
      const taken = abandoned
      abandoned = []
      return taken
    },
    async [Symbol.asyncDispose]() {
      const all = async (): Promise<void> => {
        while (pending.size > 0) await Promise.all(pending)
      }
      await within('the removal of pods', timeoutMs, undefined, all).catch(() => undefined)
    },
  }
}
