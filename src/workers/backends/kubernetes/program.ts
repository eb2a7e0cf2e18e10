/** One program in the pod of a connection, by exec. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Program, Running, Stdio } from '../../ports.ts'
import { announcementOf } from '../guest/command.ts'
import { newWord } from '../guest/last-word.ts'
import { exec, type Place } from './exec.ts'
import { exitCodeOf, startFailure } from './exit.ts'
import { asApiError, failureLabels } from './failure.ts'
import { follow } from './follow.ts'
import { cut, isCut, lastWordFor } from './linger.ts'
import { createPump, type Pump } from './pump.ts'
import { execCommand, variablesOf } from './script.ts'

/** @throws Fault */
export async function runProgram(
  place: Place,
  words: readonly string[],
  login: ReadonlyMap<string, string>,
  program: Program,
  stdio: Stdio,
  dismiss: (pid: number) => void,
  log: Log,
  signal: AbortSignal,
): Promise<Running> {
  const { room, plan, closing } = place
  const tty = program.pty !== undefined
  const limited = AbortSignal.any([signal, closing, AbortSignal.timeout(room.settings.timeouts.commandStart)])
  const variables = variablesOf(login, program)
  // Without its number nobody could send the one home who stays.
  const lastWord = announcementOf(plan) === 'none' ? undefined : lastWordFor(plan, program, newWord())
  const command = execCommand(plan, words, variables, program, lastWord)
  const stream = await exec(place, { command, tty, stdin: true }, log, limited).catch((thrown: unknown) => {
    const error = asApiError(thrown)
    throw fault('KUBERNETES_EXEC_FAILED', { podName: place.pod.name, ...failureLabels(error, 1) }, { cause: error })
  })
  const pump = createPump({ stream, tty, announcement: announcementOf(plan), lastWord, stdio, log })
  const code = (over: AbortSignal): Promise<number | undefined> => codeOf(pump, lastWord, place, log, over)
  return follow({ place, program, stream, pump, lastWord, log, code, dismiss })
}

/** A broken stream is no success, whatever was said before; nor is one that has lost its end. */
async function codeOf(
  pump: Pump,
  lastWord: string | undefined,
  { pod }: Place,
  log: Log,
  over: AbortSignal,
): Promise<number | undefined> {
  const { code: said, status, error } = await pump.ended
  const code = said ?? (status === undefined ? undefined : exitCodeOf(status))
  if (code !== undefined && !isCut(lastWord, said, code)) return code
  const failed = status === undefined ? undefined : startFailure(status)
  if (failed !== undefined) {
    pump.tell(status?.message ?? '')
    return failed
  }
  if (over.aborted) return undefined
  const reason = code === 0 ? cut : (status?.message ?? error?.message ?? 'the stream ended without a status')
  log.emit('KUBERNETES_EXIT_CODE_FAILED', { podName: pod.name, reason }, { level: 'error' })
  return undefined
}
