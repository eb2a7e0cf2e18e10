/** Session mode: the container of one program, from its making to its first moment. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Occupant, Program } from '../../ports.ts'
import { environment, withSize, wordsOf } from '../guest/command.ts'
import type { Entered, SessionForwarding } from '../guest/forward-session.ts'
import { canWait, hasDoors, held, startOf } from '../guest/held.ts'
import type { Plan } from '../guest/plan.ts'
import type { RawStream } from '../guest/raw-stream.ts'
import { type ContainerExtras, startContainer } from './container.ts'
import type { Image } from './engine.ts'
import { askExitCode, positive, StillRunning } from './exit.ts'
import { EngineError, persist } from './failure.ts'
import { filesOf, hasLate, writeEarly } from './files.ts'
import { forwardPlace } from './forward.ts'
import { type Furnished, furnish } from './furnish.ts'
import { writeLate } from './late-files.ts'
import { distrust, isDoubtful } from './prove.ts'
import type { Room } from './room.ts'
import { noSubsystem } from './sandbox.ts'

export interface Made extends Furnished {
  readonly raw: RawStream
  /** The exit code, from a wait that began before the start; undefined when nobody knows it. */
  readonly code: Promise<number | undefined>
  /** That wait broke: the engine was restarted, or is out of reach. */
  isBroken(): boolean
  /** Nobody may forward into it any more. */
  leave(): void
}

export interface Session {
  readonly room: Room
  readonly who: Occupant
  readonly image: Image | undefined
  readonly forwarding: SessionForwarding
}

/** @throws Fault */
export async function makeContainer(session: Session, program: Program, log: Log, signal: AbortSignal): Promise<Made> {
  const { room, who, image } = session
  const deadline = AbortSignal.timeout(room.settings.timeouts.commandStart)
  const limited = AbortSignal.any([signal, deadline])
  const extras = (plan: Plan): ContainerExtras => extrasOf(room, who, program, plan)
  const made = await furnish(room, who, image, extras, log, signal, deadline)
  const { containerId, plan } = made
  const own = log.with({ containerId })
  let raw: RawStream | undefined
  const entered = enter(session, made, own)
  try {
    raw = await attach(room, containerId, own, limited)
    const files = filesOf(room.settings, who, own)
    await writeEarly(room, containerId, files, own, limited)
    const code = await exitCode(room, containerId, own)
    await startContainer(room, containerId, own, signal, deadline)
    await writeLate(room, made, files, own, limited)
    const variables = await entered.open(program, limited)
    if (isHeld(room, who, program, plan)) raw.write(startOf(plan, program.pty, variables))
    return { ...made, raw, code: code.value, isBroken: code.isBroken, leave: entered.leave }
  } catch (error) {
    entered.leave()
    raw?.destroy()
    room.cleanup.track(room.cleanup.remove(containerId, own))
    throw error
  }
}

function enter({ room, image, forwarding }: Session, { containerId, plan }: Furnished, log: Log): Entered {
  const noAgent = (reason: string): void => {
    if (isDoubtful(room, plan, image)) distrust(room, image, reason, log)
  }
  return forwarding.enter((closing) => ({ ...forwardPlace(room, containerId, plan, closing, log), noAgent }), log)
}

/** To tini, the engine's init: a signal is for the program's process group, as with sshd. A shell waits for its child. */
const WHOLE_GROUP = 'TINI_KILL_PROCESS_GROUP=1'

/** Whether the program waits for something that can only be done while the container runs. */
const isHeld = ({ settings }: Room, { member }: Occupant, program: Program, plan: Plan): boolean =>
  (hasLate(settings, member.files) && canWait(plan)) || (hasDoors(program) && plan.agent !== undefined)

/** @throws Fault */
function extrasOf(room: Room, who: Occupant, program: Program, plan: Plan): ContainerExtras {
  const words = wordsOf(program.what, room.settings.execution, plan)
  if (words === undefined) throw noSubsystem(program.what, room)
  const streams = { AttachStdin: true, AttachStdout: true, AttachStderr: true, OpenStdin: true, StdinOnce: true }
  const sized = plan.hasShell ? withSize(words, program.pty) : words
  return {
    Cmd: isHeld(room, who, program, plan) ? held(plan, sized, program.pty) : sized,
    env: [...environment(program), WHOLE_GROUP],
    config: { ...streams, Tty: program.pty !== undefined },
    // The kernel keeps signals without a handler from process 1: a program would survive TERM and Ctrl-C.
    host: { Init: true, ConsoleSize: [program.pty?.size.rows ?? 0, program.pty?.size.columns ?? 0] },
  }
}

function attach(room: Room, containerId: string, log: Log, signal: AbortSignal): Promise<RawStream> {
  log.emit('DOCKER_CONTAINER_ATTACH', { containerId })
  return persist(() => room.engine.attachContainer(containerId, signal), {
    signal,
    retrying: (labels) => log.emit('DOCKER_CONTAINER_ATTACH_FAILED', { containerId, ...labels }),
    failed: (labels, cause) =>
      fault('DOCKER_CONTAINER_ATTACH_FAILED', { containerId, ...labels }, { cause, level: 'error' }),
  })
}

/** Resolves when the engine waits for the end. When that wait breaks, the engine is asked until it knows. */
async function exitCode(
  room: Room,
  containerId: string,
  log: Log,
): Promise<{ readonly value: Promise<number | undefined>; isBroken(): boolean }> {
  let isBroken = false
  const gone = new AbortController()
  const waiting = await room.engine.waitContainer(containerId, gone.signal).catch(() => undefined)
  const told = async (): Promise<number | undefined> => {
    if (waiting === undefined) return undefined
    let text = ''
    for await (const chunk of waiting.setEncoding('utf8')) text += chunk as string
    return (JSON.parse(text) as { StatusCode?: number }).StatusCode
  }
  const ask = async (): Promise<number> => {
    const state = await room.engine.containerState(containerId, AbortSignal.timeout(30_000))
    if (state.Restarting) {
      log.emit('DOCKER_EXIT_CODE_CONTAINER_RESTARTING', {})
      throw new EngineError(200, 'the container is restarting')
    }
    if (state.Running) {
      log.emit('DOCKER_EXIT_CODE_STILL_RUNNING', {})
      throw new StillRunning()
    }
    return positive(state.ExitCode, log)
  }
  const value = async (): Promise<number | undefined> => {
    const code = await told().catch(() => {
      isBroken = true
      return undefined
    })
    return code !== undefined && code >= 0 ? code : askExitCode(ask, log, gone.signal)
  }
  return { value: value(), isBroken: () => isBroken }
}
