/** Modes `connection` and `persistent`: one pod, in which each program is an exec. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant, Program, Sandbox } from '../../ports.ts'
import { explained } from '../explain.ts'
import { wordsOf } from '../guest/command.ts'
import { orUndo } from '../undo.ts'
import type { PodName } from './api.ts'
import type { Place } from './exec.ts'
import { asApiError } from './failure.ts'
import { writeFiles } from './files.ts'
import { noForwarding } from './forward.ts'
import type { Guests } from './guest.ts'
import { findHome, type Home } from './home.ts'
import { consoleImage, consoleName, environmentOf, sftpCommand } from './pod.ts'
import { runProgram } from './program.ts'
import { occupantLabels, type Room } from './room.ts'

/** @throws Fault */
export async function openSandbox(
  room: Room,
  guests: Guests,
  who: Occupant,
  log: Log,
  signal: AbortSignal,
): Promise<Sandbox> {
  const { settings } = room
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(settings.timeouts.podStart)])
  const finding = findHome(room, who, log, deadline)
  const home = await orUndo(
    room.cleanup,
    finding,
    signal,
    (found) => found.leave(),
    () => shuttingDown(),
  )
  const { pod, isOwn } = home
  const closing = new AbortController()
  // In a pod that goes on, programs are ended one by one.
  const ended = isOwn ? closing.signal : new AbortController().signal
  const looked = { room, pod, container: consoleName(settings.pod), closing: ended }
  try {
    const by = home.by ?? (await guests.of(consoleImage(settings.pod), looked, log, deadline))
    const place: Place = { ...looked, by }
    await writeFiles(place, who, log, deadline)
    return createSandbox(place, who, home, closing)
  } catch (cause) {
    room.cleanup.track(home.leave())
    throw execFailed(pod, cause)
  }
}

function createSandbox(place: Place, who: Occupant, home: Home, closing: AbortController): Sandbox {
  const { room, pod, by } = place
  const { settings } = room
  const labels = { ...occupantLabels(who), podName: pod.name }
  const log = who.peer.log.with(labels)
  const login = environmentOf(settings.pod, who)
  const sftp = sftpCommand(settings.pod)
  let removal: Promise<void> | undefined
  return {
    run: explained(async (program, stdio, signal) => {
      if (closing.signal.aborted) throw shuttingDown(pod.name)
      const words = wordsOf(program.what, settings.pod, { hasShell: by !== 'none', sftp })
      if (words === undefined) throw noSubsystem(program.what)
      try {
        return await runProgram(place, words, login, program, stdio, program.log.with(labels), signal)
      } catch (error) {
        throw closing.signal.aborted ? shuttingDown(pod.name) : error
      }
    }),
    ...noForwarding(log),
    [Symbol.asyncDispose]() {
      closing.abort()
      removal ??= home.leave()
      return removal
    },
  }
}

export const shuttingDown = (podName?: string): Fault => fault('KUBERNETES_POD_SHUTTING_DOWN', { podName })

export const noSubsystem = (what: Program['what']): Fault =>
  fault('KUBERNETES_SUBSYSTEM_NOT_SUPPORTED', { subsystem: what.kind === 'subsystem' ? what.name : '' })

const execFailed = ({ name }: PodName, thrown: unknown): Fault => {
  const error = asApiError(thrown)
  return fault('KUBERNETES_EXEC_FAILED', { podName: name, reason: error.message }, { cause: error })
}
