/** Signals to a program that runs by exec: by the guest agent, or by a shell of the image. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { isSignalName } from '../guest/exit.ts'
import type { Plan } from '../guest/plan.ts'
import { endingWords, politeSignal, signalWords } from '../guest/signal.ts'
import { runHelper } from './exec.ts'
import type { Room } from './room.ts'

export interface Target {
  readonly containerId: string
  /** Of the program, which tells whether the number is still its own. */
  readonly execId: string
  readonly pid: number
  readonly plan: Plan
}

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
    ;({ exitCode } = await runHelper(room, target.containerId, signalWords(target.plan, target.pid, name), log, signal))
  } catch (cause) {
    throw failed('the helper cannot be run', { cause })
  }
  if (exitCode !== 0)
    throw failed(`the helper ended with ${exitCode}: the process is gone, or it is somebody else's`, { exitCode })
  log.emit('DOCKER_EXEC_SIGNAL_SUCCESSFUL', { signal: name })
}

/** Ends a program whose channel is gone: HUP on a terminal, else TERM; KILL two seconds later. @throws Fault */
export async function endProgram(
  room: Room,
  target: Target,
  tty: boolean,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { containerId, plan, pid } = target
  if (plan.hasShell) {
    await runHelper(room, containerId, endingWords(pid, tty), log, signal)
    return
  }
  const { exitCode } = await runHelper(room, containerId, signalWords(plan, pid, politeSignal(tty)), log, signal)
  if (exitCode !== 0) return
  await sleep(2000, signal)
  if (signal.aborted || !(await room.engine.execState(target.execId, signal)).Running) return
  await runHelper(room, containerId, signalWords(plan, pid, 'KILL'), log, signal)
}
