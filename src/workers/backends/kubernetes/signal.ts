/** Signals to a program in a pod: by the guest agent, or by a shell of the image. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { isSignalName } from '../guest/exit.ts'
import { endingWords, politeSignal, signalWords } from '../guest/signal.ts'
import { type Place, runHelper } from './exec.ts'

/** @throws Fault */
export async function deliver(place: Place, pid: number, name: string, log: Log, signal: AbortSignal): Promise<void> {
  const labels = { signal: name, podName: place.pod.name }
  log.emit('KUBERNETES_EXEC_SIGNAL', labels)
  const failed = (reason: string, more: { exitCode?: number; cause?: unknown } = {}): Fault => {
    const { cause, ...others } = more
    const level = place.closing.aborted ? ({ level: 'debug' } as const) : {}
    return fault('KUBERNETES_EXEC_SIGNAL_FAILED', { ...labels, reason, ...others }, { ...level, cause })
  }
  if (!isSignalName(name)) throw failed('there is no such signal in SSH')
  const end = await runHelper(place, signalWords(place.plan, pid, name), log, signal).catch((cause: unknown) => {
    throw failed('the helper cannot be run', { cause })
  })
  if (end.exitCode === undefined) throw failed(`the helper cannot be run: ${end.message}`)
  if (end.exitCode !== 0) {
    throw failed('the process is gone, or it is somebody else’s', { exitCode: end.exitCode })
  }
  log.emit('KUBERNETES_EXEC_SIGNAL_SUCCESSFUL', labels)
}

/** Ends a program whose channel is gone: HUP on a terminal, else TERM; KILL two seconds later. @throws ApiError */
export async function endProgram(
  place: Place,
  pid: number,
  tty: boolean,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  if (place.plan.hasShell) {
    await runHelper(place, endingWords(pid, tty), log, signal)
    return
  }
  const { exitCode } = await runHelper(place, signalWords(place.plan, pid, politeSignal(tty)), log, signal)
  if (exitCode !== 0) return
  await sleep(2000, signal)
  if (!signal.aborted) await runHelper(place, signalWords(place.plan, pid, 'KILL'), log, signal)
}
