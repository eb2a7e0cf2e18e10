/** Parents of programs that stay until we have read all output: which there are, and how they are sent home. */
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Program } from '../../ports.ts'
import { SHELL } from '../guest/command.ts'
import type { Plan } from '../guest/plan.ts'
import { type Place, runHelper } from './exec.ts'

/** Undefined: nobody in the pod can say it. Guest agents of others cannot; a terminal's end is not told. */
export const lastWordFor = ({ hasShell, mode }: Plan, { pty }: Program, word: string): string | undefined =>
  pty === undefined && (hasShell || mode === 'inject') ? word : undefined

export const cut = 'the cluster has cut the end of the output'
/** A success without its last word is none: also when a kubelet dies, the API server tells of one (seen with 1.30). */
export const isCut = (lastWord: string | undefined, said: number | undefined, code: number): boolean =>
  code === 0 && lastWord !== undefined && said === undefined

export interface Dismissals {
  /** The parent of a program has said the last word, and has nothing to do any more. */
  add(pid: number): void
  /** Sends home whoever is left. Never rejects. */
  flush(): Promise<void>
}

/** An exec costs more than a sleeping shell: many go together, and with a pod of its own that ends soon nobody has to. */
const restMs = 5000
const mostTogether = 32

/** `closing`: nobody comes any more; who is left goes with the pod, or with `flush`. */
export function createDismissals(place: Place, log: Log, closing: AbortSignal): Dismissals {
  const { cleanup, settings } = place.room
  let waiting: number[] = []
  let resting: Promise<void> | undefined
  const flush = async (): Promise<void> => {
    const pids = waiting
    waiting = []
    if (pids.length === 0 || place.closing.aborted) return
    const limited = AbortSignal.any([place.closing, AbortSignal.timeout(settings.timeouts.signal)])
    await runHelper(place, dismissalWords(place.plan, pids), log, limited).catch((cause: unknown) => {
      const labels = { signal: 'TERM', podName: place.pod.name }
      if (!place.closing.aborted) log.emit('KUBERNETES_EXEC_SIGNAL_FAILED', labels, { cause, level: 'debug' })
    })
  }
  const rest = async (): Promise<void> => {
    await sleep(restMs, closing)
    resting = undefined
    if (!closing.aborted) await flush()
  }
  return {
    add(pid) {
      waiting.push(pid)
      if (waiting.length >= mostTogether) cleanup.track(flush())
      else if (resting === undefined) {
        resting = rest()
        cleanup.track(resting)
      }
    },
    flush,
  }
}

/** To the process alone: what the program has left in the background is of its group. */
const dismissalWords = ({ hasShell, agent = [] }: Plan, pids: readonly number[]): readonly string[] =>
  hasShell
    ? [SHELL, '-c', 'kill "$@" 2>/dev/null', 'sh', ...pids.map(String)]
    : [...agent, 'dismiss', ...pids.map(String)]
