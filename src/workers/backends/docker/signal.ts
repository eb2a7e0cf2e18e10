/** Signals to a program that runs by exec: by the guest agent, or by a shell of the image. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { SHELL } from './command.ts'
import { runHelper } from './exec.ts'
import { isSignalName } from './exit.ts'
import type { Plan } from './plan.ts'
import type { Room } from './room.ts'

export interface Target {
  readonly containerId: string
  /** Of the program, which tells whether the number is still its own. */
  readonly execId: string
  readonly pid: number
  readonly plan: Plan
}

/**
 * The group first, as sshd does (an exec'd program leads its session, so its group has its number), then the process.
 * `kill -NAME -GROUP` is the one form that bash, dash and busybox all take: busybox knows no `--`, dash wants it after `-s`.
 */
const KILL = 'kill "-$1" "-$2" 2>/dev/null || kill "-$1" "$2"'
/**
 * A polite signal, up to two seconds of patience, then the end; unless the number is that of another process by then,
 * whose start (the 20th field after the name in /proc/PID/stat, proc(5)) is another one.
 */
const END = `begun() { { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null && set -- \${line##*) } && echo "\${20}"; }
first=$(begun "$2")
kill "-$1" "-$2" 2>/dev/null || exit 0
i=0
while [ $i -lt 20 ] && kill -0 "-$2" 2>/dev/null; do sleep 0.1 || sleep 1; i=$((i + 1)); done
now=$(begun "$2")
[ -n "$now" ] && [ "$now" != "$first" ] || kill -KILL "-$2" 2>/dev/null`

/** @throws Fault */
export async function deliver(room: Room, target: Target, name: string, log: Log, signal: AbortSignal): Promise<void> {
  log.emit('DOCKER_EXEC_SIGNAL', { signal: name })
  const failed = (reason: string, options: { exitCode?: number; cause?: unknown } = {}): Fault => {
    const { cause, ...labels } = options
    return fault('DOCKER_EXEC_SIGNAL_FAILED', { signal: name, reason, ...labels }, cause === undefined ? {} : { cause })
  }
  if (!isSignalName(name)) throw failed('there is no such signal in SSH')
  let exitCode: number
  try {
    ;({ exitCode } = await runHelper(room, target.containerId, words(target, name), log, signal))
  } catch (cause) {
    throw failed('the helper cannot be run', { cause })
  }
  if (exitCode !== 0)
    throw failed(`the helper ended with ${exitCode}: the process is gone, or it is somebody else's`, { exitCode })
  log.emit('DOCKER_EXEC_SIGNAL_SUCCESSFUL', { signal: name })
}

/** A shell knows groups; the guest agents that are in images do not. */
const words = ({ pid, plan }: Target, name: string): readonly string[] =>
  plan.hasShell || plan.agent === undefined
    ? [SHELL, '-c', KILL, 'sh', name, String(pid)]
    : [...plan.agent, 'signal', '--pid', String(pid), '--signal', name]

/** Ends a program whose channel is gone: HUP on a terminal, else TERM; KILL two seconds later. @throws Fault */
export async function endProgram(
  room: Room,
  target: Target,
  tty: boolean,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const polite = tty ? 'HUP' : 'TERM'
  if (target.plan.hasShell) {
    await runHelper(room, target.containerId, [SHELL, '-c', END, 'sh', polite, String(target.pid)], log, signal)
    return
  }
  const { exitCode } = await runHelper(room, target.containerId, words(target, polite), log, signal)
  if (exitCode !== 0) return
  await sleep(2000, signal)
  if (signal.aborted || !(await room.engine.execState(target.execId, signal)).Running) return
  await runHelper(room, target.containerId, words(target, 'KILL'), log, signal)
}
