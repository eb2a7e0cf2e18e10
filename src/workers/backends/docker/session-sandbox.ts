/** Session mode: each program is the main process of a container of its own, made when the program is asked for. */
import { asFault, fault } from '../../../shared/codes/fault.ts'
import { aborted, sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Exit, Occupant, Program, Running, Sandbox, Say, Stdio } from '../../ports.ts'
import { explain } from '../explain.ts'
import { drained } from '../guest/drained.ts'
import { exitOf, isSignalName, UNKNOWN_EXIT } from '../guest/exit.ts'
import { createLodgers } from '../guest/lodgers.ts'
import { orUndo } from '../undo.ts'
import { shuttingDown } from './container.ts'
import { ranOutOfMemory } from './exit.ts'
import { persist } from './failure.ts'
import { broken, fateOf, lost, OUT_OF_MEMORY } from './loss.ts'
import { createPump, type Pump } from './pump.ts'
import { occupantLabels, type Room } from './room.ts'
import { type Made, makeContainer, type Session } from './session-container.ts'
import { createTerminal } from './terminal.ts'

/** When the connection ends as well, its containers are removed in no time; only a lone channel stops its own politely. */
const BEFORE_STOPPING_MS = 50
const STOP_GRACE_SECONDS = 2

/** @throws Fault */
export async function openSessionSandbox(
  room: Room,
  who: Occupant,
  log: Log,
  signal: AbortSignal,
  say?: Say,
): Promise<Sandbox> {
  const image = await room.images.ensure(log, signal, say)
  const lodgers = createLodgers(shuttingDown)
  const session: Session = { room, who, image, forwarding: lodgers.forwarding }
  const labels = occupantLabels(who)
  return lodgers.sandbox(async (program, stdio, runSignal) => {
    const programLog = program.log.with(labels)
    const either = AbortSignal.any([runSignal, lodgers.closing])
    const make = makeContainer(session, program, programLog, either)
    const undo = async ({ raw, containerId, leave }: Made): Promise<void> => {
      leave()
      raw.destroy()
      await room.cleanup.remove(containerId, programLog)
    }
    const made = await orUndo(room.cleanup, make, either, undo, shuttingDown).catch(async (error: unknown) => {
      if (!either.aborted) await explain(error, stdio, program)
      throw error
    })
    const own = programLog.with({ containerId: made.containerId })
    const running = follow(room, made, program, stdio, own, lodgers.closing)
    lodgers.add(running, () => {
      made.leave()
      return room.cleanup.remove(made.containerId, own)
    })
    return running
  })
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
    room: containerId,
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
