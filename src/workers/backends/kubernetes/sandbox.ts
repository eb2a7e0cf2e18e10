/** Modes `connection` and `persistent`: one pod, in which each program is an exec. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant, Program, Sandbox } from '../../ports.ts'
import { explained } from '../explain.ts'
import { SHELL, wordsOf } from '../guest/command.ts'
import { orUndo } from '../undo.ts'
import type { Pod, PodName } from './api.ts'
import { awaitPod, makePod, nameOf } from './create.ts'
import type { Place } from './exec.ts'
import { asApiError, persist, whyOf } from './failure.ts'
import { writeFiles } from './files.ts'
import { noForwarding } from './forward.ts'
import type { Guests } from './guest.ts'
import { consoleImage, consoleName, environmentOf, namespaceOf, sftpCommand } from './pod.ts'
import { runProgram } from './program.ts'
import { occupantLabels, type Room } from './room.ts'
import { isUp, PodError } from './wait.ts'

/** Stands in for the guest agent as the pod's main process. TERM ends it in about 0.1 s. */
const shellIdle = [SHELL, '-c', "trap 'exit 0' INT TERM; while :; do sleep 3600 & wait $!; done"]

/** @throws Fault */
export async function openSandbox(
  room: Room,
  guests: Guests,
  who: Occupant,
  log: Log,
  signal: AbortSignal,
): Promise<Sandbox> {
  const { settings } = room
  const isOurs = settings.pod.mode === 'connection'
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(settings.timeouts.podStart)])
  const undo = (made: Pod): Promise<void> => (isOurs ? room.cleanup.remove(nameOf(made), log) : Promise.resolve())
  const making = isOurs ? makeOwn(room, who, log, deadline) : findPod(room, who, log, deadline)
  const pod = nameOf(await orUndo(room.cleanup, making, signal, undo, () => shuttingDown()))
  const closing = new AbortController()
  const looked = { room, pod, container: consoleName(settings.pod), closing: closing.signal }
  try {
    const by = await guests.of(consoleImage(settings.pod), looked, log, deadline)
    const place: Place = { ...looked, by }
    await writeFiles(place, who, log, deadline)
    return createSandbox(place, who, isOurs, closing)
  } catch (cause) {
    if (isOurs) room.cleanup.track(room.cleanup.remove(pod, log))
    throw execFailed(pod, cause)
  }
}

const makeOwn = (room: Room, who: Occupant, log: Log, signal: AbortSignal): Promise<Pod> =>
  makePod(room, who, { command: idleCommand(room) }, isUp, log, signal)

/** Without the guest agent its command, which is the default, would only make the start fail. */
function idleCommand({ settings: { pod } }: Room): readonly string[] {
  return pod.disableAgent && pod.idleCommand[0] === pod.agentPath ? shellIdle : pod.idleCommand
}

/** The pod that the configuration names, made if there is none and that is wanted. @throws Fault */
async function findPod(room: Room, who: Occupant, log: Log, signal: AbortSignal): Promise<Pod> {
  const { pod } = room.settings
  const name: PodName = { namespace: namespaceOf(pod), name: String(pod.metadata['name'] ?? '') }
  const podName = name.name
  const found = await persist(() => room.api.pod(name, signal), {
    signal,
    retrying: (labels, error) =>
      log.emit('KUBERNETES_POD_WAIT_FAILED', { podName, ...labels, why: whyOf(error) }, { level: 'debug' }),
    failed: ({ reason }, cause) =>
      fault('KUBERNETES_POD_WAIT_FAILED', { podName, reason, why: whyOf(cause) }, { cause }),
  })
  if (found !== undefined) {
    await awaitPod(room, found, isRunning, log, signal)
    return found
  }
  if (!pod.createMissingPods) throw fault('KUBERNETES_POD_NOT_FOUND', { podName })
  try {
    return await makeOwn(room, who, log, signal)
  } catch (error) {
    // Somebody else has made it at the same time.
    const other = await room.api.pod(name, signal).catch(() => undefined)
    if (other === undefined) throw error
    await awaitPod(room, other, isRunning, log, signal)
    return other
  }
}

/** Nothing can be started in one that is over. @throws PodError */
function isRunning(pod: Pod): true | undefined {
  const { phase = '' } = pod.status ?? {}
  if (phase === 'Succeeded' || phase === 'Failed') throw new PodError(`it has ended: ${phase}`)
  return isUp(pod)
}

function createSandbox(place: Place, who: Occupant, isOurs: boolean, closing: AbortController): Sandbox {
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
      removal ??= isOurs ? room.cleanup.remove(pod, log) : Promise.resolve()
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
