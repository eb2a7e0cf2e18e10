/** Signals to a program in a pod: by the guest agent, or by a shell of the image. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { SHELL } from '../docker/command.ts'
import { isSignalName } from '../docker/exit.ts'
import { type Place, runHelper } from './exec.ts'

/** The group first, as sshd does (an exec'd program leads its session, so its group has its number), then the process. */
const KILL = 'kill "-$1" "-$2" 2>/dev/null || kill "-$1" "$2"'
/** A polite signal, up to two seconds of patience, then the end. */
const END = `kill "-$1" "-$2" 2>/dev/null || exit 0
i=0
while [ $i -lt 20 ] && kill -0 "-$2" 2>/dev/null; do sleep 0.1 || sleep 1; i=$((i + 1)); done
kill -KILL "-$2" 2>/dev/null`

const words = (place: Place, pid: number, name: string): readonly string[] =>
  place.by === 'agent'
    ? [place.room.settings.pod.agentPath, 'signal', '--pid', String(pid), '--signal', name]
    : [SHELL, '-c', KILL, 'sh', name, String(pid)]

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
  const end = await runHelper(place, words(place, pid, name), log, signal).catch((cause: unknown) => {
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
  const polite = tty ? 'HUP' : 'TERM'
  if (place.by === 'shim') {
    await runHelper(place, [SHELL, '-c', END, 'sh', polite, String(pid)], log, signal)
    return
  }
  const { exitCode } = await runHelper(place, words(place, pid, polite), log, signal)
  if (exitCode !== 0) return
  await sleep(2000, signal)
  if (!signal.aborted) await runHelper(place, words(place, pid, 'KILL'), log, signal)
}
