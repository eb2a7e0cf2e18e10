/** Programs that ended because what was under them did: nobody of theirs can say so, so we do. */
import type { Log } from '../../../shared/log.ts'
import { SHELL } from '../guest/command.ts'
import type { Pod } from './api.ts'
import { type Place, runHelper } from './exec.ts'
import { asApiError } from './failure.ts'
import { statusOf } from './wait.ts'

const askMs = 5000
/** Of a program that KILL or TERM ended: what a container gets from the cluster. */
const ended: ReadonlySet<number | undefined> = new Set([137, 143])

/**
 * A sentence for the user, and a record, if the program did not end by itself. `code`: undefined when nobody knows it.
 * `since`: the start of the program, as of Date.now(); a node whose clock is behind costs the sentence, no more.
 */
export async function lossOf(
  { room, pod, container }: Place,
  code: number | undefined,
  since: number,
  log: Log,
): Promise<string | undefined> {
  if (code !== undefined && !ended.has(code)) return undefined
  const lost = (loss: string, reason = loss): string => {
    log.emit('KUBERNETES_PROGRAM_LOST', { podName: pod.name, reason })
    return loss
  }
  const broken = 'the connection to the cluster broke; the program is ended if it still runs'
  try {
    const found = await room.api.pod(pod, AbortSignal.timeout(askMs))
    if (found === undefined) return lost('the pod was deleted')
    const fate = fateOf(found, container, since)
    if (fate !== undefined) return lost(fate.loss, fate.reason)
  } catch {
    // The cluster does not tell: then neither can we, if we have at least the exit code.
  }
  return code === undefined ? lost(broken) : undefined
}

/** Shorter programs are not worth the call: a kubelet hardly ever dies in their time. */
const longMs = 5000
const IS_THERE = 'kill -0 "$1" 2>/dev/null'

/**
 * When a kubelet dies, the API server calls the programs that ran there a success (seen with 1.30). True: so it is, the
 * program has not ended, or nobody in its node answers.
 */
export async function isForsaken(place: Place, pid: number, since: number, log: Log): Promise<boolean> {
  const { room, plan } = place
  if (pid === 0 || !plan.hasShell || Date.now() - since < longMs || room.settings.pod.mode === 'session') return false
  try {
    const words = [SHELL, '-c', IS_THERE, 'sh', String(pid)]
    const { exitCode } = await runHelper(place, words, log, AbortSignal.timeout(askMs))
    return exitCode === undefined || exitCode === 0
  } catch (error) {
    return asApiError(error).statusCode >= 500
  }
}

interface Fate {
  readonly loss: string
  readonly reason: string
}

/** Undefined: the pod is well. */
function fateOf(pod: Pod, container: string, since: number): Fate | undefined {
  const { status, metadata } = pod
  const told = (loss: string, ...more: (string | undefined)[]): Fate => ({
    loss,
    reason: [loss, ...more.filter((one) => one !== undefined && one !== '')].join(': '),
  })
  // https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
  const disruption = status?.conditions?.find(({ type, status }) => type === 'DisruptionTarget' && status === 'True')
  if (disruption !== undefined) return told('the pod was evicted', disruption.reason, disruption.message)
  if (status?.reason === 'Evicted') return told('the pod was evicted', status.message)
  const { state, lastState } = statusOf(pod, container) ?? {}
  const last = [state?.terminated, lastState?.terminated].find(
    (one) => one !== undefined && Date.parse(one.finishedAt ?? '') >= since - 1000,
  )
  if (last?.reason === 'OOMKilled') return told('the pod has run out of memory, and a program in it was killed')
  if (metadata.deletionTimestamp !== undefined) return told('the pod was deleted')
  if (status?.phase === 'Failed') return told('the pod has ended', status.reason, status.message)
  return undefined
}
