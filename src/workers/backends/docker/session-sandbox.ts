/** Session mode: each program is the main process of a container of its own, made when the program is asked for. */
import { asFault, fault } from '../../../shared/codes/fault.ts'
import { aborted, sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Exit, Occupant, Program, Running, Sandbox, Say, Stdio } from '../../ports.ts'
import { environment, withSize, wordsOf } from '../guest/command.ts'
import { exitOf, isSignalName } from '../guest/exit.ts'
import { createSessionForwarding } from '../guest/forward-session.ts'
import { held, startByte } from '../guest/held.ts'
import type { Plan } from '../guest/plan.ts'
import { orUndo } from '../undo.ts'
import { type ContainerExtras, shuttingDown, startContainer } from './container.ts'
import type { Image } from './engine.ts'
import { askExitCode, drained, positive, ranOutOfMemory, StillRunning, UNKNOWN_EXIT } from './exit.ts'
import { EngineError, persist } from './failure.ts'
import { filesOf, hasLate, writeEarly } from './files.ts'
import { forwardPlace } from './forward.ts'
import { type Furnished, furnish } from './furnish.ts'
import type { RawStream } from './hijack.ts'
import { writeLate } from './late-files.ts'
import { broken, fateOf, lost, OUT_OF_MEMORY } from './loss.ts'
import { createPump, type Pump } from './pump.ts'
import { occupantLabels, type Room } from './room.ts'
import { noSubsystem } from './sandbox.ts'
import { createTerminal } from './terminal.ts'

/** When the connection ends as well, its containers are removed in no time; only a lone channel stops its own politely. */
const BEFORE_STOPPING_MS = 50
const STOP_GRACE_SECONDS = 2
const LAST_WORDS_MS = 250

/** @throws Fault */
export async function openSessionSandbox(
  room: Room,
  who: Occupant,
  log: Log,
  signal: AbortSignal,
  say?: Say,
): Promise<Sandbox> {
  const image = await room.images.ensure(log, signal, say)
  const labels = occupantLabels(who)
  const closing = new AbortController()
  const programs = new Set<Promise<void>>()
  const forwarding = createSessionForwarding()
  return {
    async run(program, stdio, runSignal) {
      if (closing.signal.aborted) throw shuttingDown()
      const programLog = program.log.with(labels)
      const either = AbortSignal.any([runSignal, closing.signal])
      const make = makeContainer(room, who, image, program, programLog, either)
      const undo = async ({ raw, containerId }: Made): Promise<void> => {
        raw.destroy()
        await room.cleanup.remove(containerId, programLog)
      }
      const made = await orUndo(room.cleanup, make, either, undo, shuttingDown).catch(async (error: unknown) => {
        if (!either.aborted) await explain(error, stdio, program)
        throw error
      })
      const own = programLog.with({ containerId: made.containerId })
      const running = follow(room, made, program, stdio, own, closing.signal)
      const leave = forwarding.enter((ended) => forwardPlace(room, made.containerId, made.plan, ended, own), own)
      const remove = (): Promise<void> => {
        leave()
        return room.cleanup.remove(made.containerId, own)
      }
      const gone = running.exit.then(remove, remove)
      const settled = gone.finally(() => programs.delete(settled))
      programs.add(settled)
      return running
    },
    dial: forwarding.dial,
    listen: forwarding.listen,
    async [Symbol.asyncDispose]() {
      closing.abort()
      await Promise.all(programs)
    },
  }
}

/** OpenSSH's client says only that its request failed, and ends at once: the reason goes ahead, with time to be read. */
async function explain(error: unknown, { stderr }: Stdio, { pty }: Program): Promise<void> {
  stderr.write(Buffer.from(`${asFault(error).userText}.${pty === undefined ? '' : '\r'}\n`))
  await sleep(LAST_WORDS_MS)
}

interface Made extends Furnished {
  readonly raw: RawStream
  /** The exit code, from a wait that began before the start; undefined when nobody knows it. */
  readonly code: Promise<number | undefined>
  /** That wait broke: the engine was restarted, or is out of reach. */
  isBroken(): boolean
}

/** @throws Fault */
async function makeContainer(
  room: Room,
  who: Occupant,
  image: Image | undefined,
  program: Program,
  log: Log,
  signal: AbortSignal,
): Promise<Made> {
  const deadline = AbortSignal.timeout(room.settings.timeouts.commandStart)
  const extras = (plan: Plan): ContainerExtras => extrasOf(room, who, program, plan)
  const made = await furnish(room, who, image, extras, log, signal, deadline)
  const { containerId } = made
  const own = log.with({ containerId })
  let raw: RawStream | undefined
  try {
    raw = await attach(room, containerId, own, AbortSignal.any([signal, deadline]))
    const files = filesOf(room.settings, who, own)
    const limited = AbortSignal.any([signal, deadline])
    await writeEarly(room, containerId, files, own, limited)
    const code = await exitCode(room, containerId, own)
    await startContainer(room, containerId, own, signal, deadline)
    await writeLate(room, made, files, own, limited)
    if (isHeld(room, who, made.plan)) raw.write(startByte(made.plan, program.pty))
    return { ...made, raw, code: code.value, isBroken: code.isBroken }
  } catch (error) {
    raw?.destroy()
    room.cleanup.track(room.cleanup.remove(containerId, own))
    throw error
  }
}

/** To tini, the engine's init: a signal is for the program's process group, as with sshd. A shell waits for its child. */
const WHOLE_GROUP = 'TINI_KILL_PROCESS_GROUP=1'

/** Whether the program waits for files that can only be written while the container runs. */
const isHeld = ({ settings }: Room, { member }: Occupant, plan: Plan): boolean =>
  hasLate(settings, member.files) && (plan.hasShell || plan.agent !== undefined)

/** @throws Fault */
function extrasOf(room: Room, who: Occupant, program: Program, plan: Plan): ContainerExtras {
  const words = wordsOf(program.what, room.settings.execution, plan)
  if (words === undefined) throw noSubsystem(program.what, room)
  const streams = { AttachStdin: true, AttachStdout: true, AttachStderr: true, OpenStdin: true, StdinOnce: true }
  const sized = plan.hasShell ? withSize(words, program.pty) : words
  return {
    Cmd: isHeld(room, who, plan) ? held(plan, sized, program.pty) : sized,
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

function follow(room: Room, made: Made, program: Program, stdio: Stdio, log: Log, closing: AbortSignal): Running {
  const { containerId, raw } = made
  const { timeouts } = room.settings
  const tty = program.pty !== undefined
  const left = new AbortController()
  const over = AbortSignal.any([left.signal, closing])
  const delivered = new Set<string>()
  const pump: Pump = createPump({ raw, tty, announcement: 'none', stdio, log })
  let ended = false

  const terminal = createTerminal((size, until) => room.engine.resizeContainer(containerId, size, until), log)
  if (program.pty !== undefined) {
    const window = AbortSignal.any([over, AbortSignal.timeout(timeouts.window)])
    terminal.resizeFirst(program.pty.size, window)
  }
  const finish = async (): Promise<Exit> => {
    const code = await Promise.race([made.code, aborted(over)])
    if (code === undefined) {
      const fate = over.aborted ? undefined : await fateOf(room, containerId, code, false, log)
      if (fate?.loss !== undefined) pump.tell(fate.loss)
      pump.close()
      await stop(room, containerId, log, closing)
      return UNKNOWN_EXIT
    }
    ended = true
    await drained(pump, over)
    if (made.isBroken()) pump.tell(lost(broken, log).loss)
    const outOfMemory = await ranOutOfMemory(room, containerId, code, log)
    if (outOfMemory) pump.tell(OUT_OF_MEMORY)
    pump.close()
    log.emit('DOCKER_EXIT_CODE', { exitCode: code })
    return exitOf(code, program.what.kind, delivered, outOfMemory)
  }
  return {
    exit: finish(),
    async resize(size, signal) {
      if (!tty) return
      const limited = AbortSignal.any([signal, over, AbortSignal.timeout(timeouts.window)])
      await terminal.resize(size, limited)
    },
    async signal(name, signal) {
      if (ended) throw fault('DOCKER_SIGNAL_FAILED_NO_PID', { signal: name })
      const limited = AbortSignal.any([signal, over, AbortSignal.timeout(timeouts.signal)])
      delivered.add(name)
      await kill(room, containerId, name, log, limited)
    },
    async [Symbol.asyncDispose]() {
      if (left.signal.aborted) return
      left.abort()
      if (!ended) {
        log.emit('DOCKER_CLOSE_OUTPUT_FAILED', { reason: 'the client closed the channel before the program ended' })
      }
    },
  }
}

async function kill(room: Room, containerId: string, name: string, log: Log, signal: AbortSignal): Promise<void> {
  log.emit('DOCKER_CONTAINER_SIGNAL', { signal: name })
  if (!isSignalName(name)) {
    throw fault('DOCKER_CONTAINER_SIGNAL_FAILED', { signal: name, reason: 'there is no such signal in SSH' })
  }
  await persist(() => room.engine.killContainer(containerId, `SIG${name}`, signal), {
    signal,
    retrying: (labels) => log.emit('DOCKER_CONTAINER_SIGNAL_FAILED', { signal: name, ...labels }),
    failed: (labels, cause) => fault('DOCKER_CONTAINER_SIGNAL_FAILED', { signal: name, ...labels }, { cause }),
  })
}

/** The channel is gone: TERM, KILL two seconds later. Cut short by the end of the connection, which removes the container. */
async function stop(room: Room, containerId: string, log: Log, closing: AbortSignal): Promise<void> {
  await sleep(BEFORE_STOPPING_MS, closing)
  if (closing.aborted) return
  log.emit('DOCKER_CONTAINER_STOP', { containerId })
  const signal = AbortSignal.any([closing, AbortSignal.timeout(room.settings.timeouts.containerStop)])
  await persist(() => room.engine.stopContainer(containerId, STOP_GRACE_SECONDS, signal), {
    signal,
    retrying: (labels) => log.emit('DOCKER_CONTAINER_STOP_FAILED', { containerId, ...labels }),
    failed: (labels, cause) =>
      fault('DOCKER_CONTAINER_STOP_FAILED', { containerId, ...labels }, { cause, level: 'error' }),
  }).catch((error) => {
    if (!closing.aborted) log.fault(asFault(error))
  })
}
