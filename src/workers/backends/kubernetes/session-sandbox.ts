/** Mode `session`: each program is the main process of a pod of its own, made when the program is asked for. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant, Program, Running, Sandbox, Stdio } from '../../ports.ts'
import { explained } from '../explain.ts'
import { wordsOf } from '../guest/command.ts'
import { orUndo } from '../undo.ts'
import type { Pod } from './api.ts'
import { makePod, nameOf } from './create.ts'
import type { Place } from './exec.ts'
import { asApiError, failureLabels } from './failure.ts'
import { follow } from './follow.ts'
import { noForwarding } from './forward.ts'
import { consoleCommand, consoleName, type PodSettings, sftpCommand } from './pod.ts'
import { createPump } from './pump.ts'
import { occupantLabels, type Room } from './room.ts'
import { noSubsystem, shuttingDown } from './sandbox.ts'
import { variablesOf, waitingShell } from './script.ts'
import { staying } from './staying.ts'
import { endIfHopeless, type Look, PodError, statusOf, waitFor } from './wait.ts'

/** @throws Fault */
export function openSessionSandbox(room: Room, who: Occupant): Sandbox {
  const labels = occupantLabels(who)
  const closing = new AbortController()
  const programs = new Set<Promise<void>>()
  const remove = (pod: Pod, log: Log): Promise<void> => room.cleanup.remove(nameOf(pod), log)
  return {
    run: explained(async (program, stdio, signal) => {
      if (closing.signal.aborted) throw shuttingDown()
      const log = program.log.with(labels)
      const deadline = AbortSignal.timeout(room.settings.timeouts.commandStart)
      const limited = AbortSignal.any([signal, closing.signal, deadline])
      const making = make(room, who, program, log, limited)
      const pod = await orUndo(room.cleanup, making, limited, (made) => remove(made, log), shuttingDown)
      const own = log.with({ podName: pod.metadata.name })
      const gone = (): Promise<void> => remove(pod, own)
      try {
        const running = await attach(room, pod, program, stdio, own, closing.signal, limited)
        const settled = running.exit.then(gone, gone).finally(() => programs.delete(settled))
        programs.add(settled)
        return running
      } catch (error) {
        room.cleanup.track(gone())
        throw error
      }
    }),
    ...noForwarding(who.peer.log.with(labels)),
    async [Symbol.asyncDispose]() {
      closing.abort()
      await Promise.all(programs)
    },
  }
}

/** @throws Fault */
function make(room: Room, who: Occupant, program: Program, log: Log, signal: AbortSignal): Promise<Pod> {
  const { pod } = room.settings
  const words = wordsOf(program.what, pod, { hasShell: true, sftp: sftpCommand(pod) })
  if (words === undefined) throw noSubsystem(program.what)
  const env = new Map(variablesOf(new Map(), program).map(split))
  const attached = { tty: program.pty !== undefined }
  const own = words.length === 0 ? consoleCommand(pod) : words
  const held = isBare(pod, program) ? {} : { command: waitingShell(staying(own, attached.tty), program) }
  const console = { ...held, env, attached }
  return makePod(room, { who, console }, isAttachable(consoleName(pod)), log, signal)
}

/** A shell that only the image knows of: nobody can stand in front of it, so it begins before we are there. */
const isBare = (pod: PodSettings, { what }: Program): boolean =>
  what.kind === 'shell' && pod.shellCommand.length === 0 && consoleCommand(pod).length === 0

const split = (variable: string): [string, string] => {
  const at = variable.indexOf('=')
  return [variable.slice(0, at), variable.slice(at + 1)]
}

const isAttachable =
  (container: string): Look<true> =>
  (pod) => {
    const { state } = statusOf(pod, container) ?? {}
    if (state?.running !== undefined) return true
    if (state?.terminated !== undefined) throw new PodError(state.terminated.message ?? 'it has ended already')
    endIfHopeless(pod)
    return undefined
  }

async function attach(
  room: Room,
  pod: Pod,
  program: Program,
  stdio: Stdio,
  log: Log,
  closing: AbortSignal,
  signal: AbortSignal,
): Promise<Running> {
  const name = nameOf(pod)
  const podName = name.name
  const container = consoleName(room.settings.pod)
  const tty = program.pty !== undefined
  log.emit('KUBERNETES_POD_ATTACH', { podName })
  const stream = await room.api.attach(name, { container, tty, stdin: true }, signal).catch((thrown: unknown) => {
    const error = asApiError(thrown)
    throw fault('KUBERNETES_EXEC_FAILED', { podName, ...failureLabels(error, 1) }, { cause: error })
  })
  const by = isBare(room.settings.pod, program) ? 'none' : 'shim'
  const place: Place = { room, pod: name, container, by, closing }
  // What the program waits for, before anything that is for the program itself: from here on nothing it says is lost.
  if (by === 'shim') stream.write(Buffer.from('\n'))
  const pump = createPump({ stream, tty, announcement: by, stdio, log })
  const code = async (over: AbortSignal): Promise<number | undefined> => {
    await pump.ended
    return over.aborted ? undefined : exitCode(room, pod, container, log, over)
  }
  return follow({ place, program, stream, pump, log, code })
}

/** The stream only tells that it is over; the pod tells how. */
async function exitCode(
  room: Room,
  pod: Pod,
  container: string,
  log: Log,
  over: AbortSignal,
): Promise<number | undefined> {
  const limited = AbortSignal.any([over, AbortSignal.timeout(room.settings.timeouts.podStop)])
  try {
    const from = await room.api.pod(nameOf(pod), limited)
    if (from === undefined) throw new Error('the pod is gone')
    return await waitFor(
      room.api,
      nameOf(pod),
      from,
      (one) => statusOf(one, container)?.state?.terminated?.exitCode,
      limited,
    )
  } catch (cause) {
    if (over.aborted) return undefined
    const labels = { podName: pod.metadata.name, reason: (cause as Error).message }
    log.emit('KUBERNETES_EXIT_CODE_FAILED', labels, { cause, level: 'error' })
    return undefined
  }
}
