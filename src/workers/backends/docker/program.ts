/** One program in the container of a connection: an exec whose streams, size, signals and end are those of a channel. */
import { fault } from '../../../shared/codes/fault.ts'
import { aborted, sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Exit, Program, Running, Stdio } from '../../ports.ts'
import { announced, announcedOver, announcementOf, canBeDirect, environment, withSize } from '../guest/command.ts'
import { drained } from '../guest/drained.ts'
import { exitOf, UNKNOWN_EXIT } from '../guest/exit.ts'
import type { Announcement, Header } from '../guest/header.ts'
import { letGo } from '../guest/let-go.ts'
import type { Plan } from '../guest/plan.ts'
import type { RawStream } from '../guest/raw-stream.ts'
import { DIRECT_FOLDER } from './direct/direct.ts'
import type { DirectStreams } from './direct/streams.ts'
import { attachExec, createExec } from './exec.ts'
import { execExitCode } from './exit.ts'
import { fateOf, OUT_OF_MEMORY } from './loss.ts'
import { createPump, type Pump } from './pump.ts'
import type { Room } from './room.ts'
import { deliver, endProgram, type Target } from './signal.ts'
import { createTerminal, type Terminal } from './terminal.ts'

export interface Place {
  readonly room: Room
  readonly containerId: string
  /** What programs have besides the container's own environment and before that of their channel, NAME=value. */
  readonly env: readonly string[]
  readonly plan: Plan
  /** Folder for its streams; undefined: the engine has them. */
  readonly streams: string | undefined
  /** Aborted when the container is about to be removed: nothing has to be tidied up in it any more. */
  readonly closing: AbortSignal
}

/** When the connection ends as well, its container is removed in no time; only a lone channel is worth an exec. */
const BEFORE_ENDING_MS = 50
/** Politeness (2 s) and the calls around it. */
const ENDING_MS = 30_000
/** For the news that the program has ended. */
const AFTER_ENDING_MS = 5000

/** @throws Fault */
export async function runProgram(
  place: Place,
  words: readonly string[],
  program: Program,
  stdio: Stdio,
  log: Log,
  signal: AbortSignal,
): Promise<Running> {
  const { room, containerId, plan, closing } = place
  const { timeouts } = room.settings
  const tty = program.pty !== undefined
  const limited = AbortSignal.any([signal, closing, AbortSignal.timeout(timeouts.commandStart)])
  const command = program.what.kind === 'exec' ? program.what.command : words[0]
  log.emit('DOCKER_EXEC', { command: command?.slice(0, 256) })
  const direct = await openDirect(place, tty, log, limited)
  const Cmd = wordsIn(plan, words, program, direct && `${DIRECT_FOLDER}/${direct.name}`)
  const spec = { Cmd, Env: environment(program, place.env), Tty: tty, stdin: true, size: program.pty?.size }
  const begin = async (): Promise<{ id: string; raw: RawStream }> => {
    const id = await createExec(room, containerId, spec, log, limited)
    return { id, raw: await attachExec(room, id, tty, log, limited) }
  }
  const { id, raw } = await begin().catch((error) => {
    direct?.close()
    throw error
  })
  const pump = createPump({ raw, direct, tty, announcement: announcementOf(plan), stdio, log })
  const terminal = createTerminal((size, until) => room.engine.resizeExec(id, size, until), log)
  if (program.pty !== undefined) {
    const window = AbortSignal.any([closing, AbortSignal.timeout(timeouts.window)])
    terminal.resizeFirst(program.pty.size, window)
  }
  return follow(place, id, pump, program, terminal, log)
}

/** A terminal is the engine's: only that can tell it its size. */
const openDirect = async (
  { room, plan, streams }: Place,
  tty: boolean,
  log: Log,
  signal: AbortSignal,
): Promise<DirectStreams | undefined> =>
  tty || streams === undefined || !canBeDirect(plan) ? undefined : room.direct.open(streams, log, signal)

function wordsIn(plan: Plan, words: readonly string[], { pty }: Program, streams: string | undefined) {
  const sized = plan.hasShell && plan.mode !== 'none' ? withSize(words, pty) : words
  return streams === undefined ? announced(plan, sized) : announcedOver(streams, plan, sized)
}

function follow(place: Place, id: string, pump: Pump, program: Program, terminal: Terminal, log: Log): Running {
  const { room, containerId, plan, closing } = place
  const { timeouts } = room.settings
  const announcement = announcementOf(plan)
  const tty = program.pty !== undefined
  const left = new AbortController()
  const over = AbortSignal.any([left.signal, closing])
  const delivered = new Set<string>()
  let ended = false
  let ending: Promise<void> | undefined

  const close = (): void => {
    if (ended) pump.close()
    else void letGo(pump, announcement, AbortSignal.any([closing, AbortSignal.timeout(ENDING_MS)]))
  }
  const finish = async (): Promise<Exit> => {
    const code = await execExitCode(room, id, pump, log, over)
    ended = !over.aborted
    if (ended) await drained(pump, over)
    const fate = ended ? await fateOf(room, containerId, code, delivered.has('KILL'), log) : undefined
    if (fate?.loss !== undefined) pump.tell(fate.loss)
    if (fate?.outOfMemory) pump.tell(OUT_OF_MEMORY)
    close()
    if (fate === undefined || fate.loss !== undefined || code === undefined) return UNKNOWN_EXIT
    log.emit('DOCKER_EXIT_CODE', { exitCode: code })
    const header = await pump.header
    // A stream that broke, because nobody read the input, may have taken the announcement with it.
    const isLost = header.kind === 'short' && (await pump.ended) !== undefined
    if (announcement === 'agent' && header.kind !== 'pid' && !isLost) return UNKNOWN_EXIT
    if (announcement === 'none' && code === 126 && NOT_FOUND.test(textOf(header))) return { kind: 'status', code: 127 }
    return exitOf(code, program.what.kind, delivered, fate.outOfMemory)
  }
  const end = async (): Promise<void> => {
    await sleep(BEFORE_ENDING_MS, closing)
    const limited = AbortSignal.any([closing, AbortSignal.timeout(ENDING_MS)])
    const target = closing.aborted ? undefined : await targetOf(limited)
    if (target !== undefined) await endProgram(room, target, tty, log, limited)
  }
  const endInBackground = (): void => {
    ending ??= end().catch((cause) => {
      if (!closing.aborted) log.emit('DOCKER_EXEC_SIGNAL_FAILED', { signal: 'KILL' }, { cause })
    })
    room.cleanup.track(ending)
  }
  const targetOf = async (limited: AbortSignal): Promise<Target | undefined> => {
    if (announcement === 'none') return undefined
    const header = await Promise.race([pump.header, aborted(limited)])
    return header?.kind === 'pid' ? { containerId, execId: id, pid: header.pid, plan } : undefined
  }
  tellHeader(announcement, pump, log, over)
  /** Nobody can talk to a program whose streams are broken. One that does not end is not waited for. */
  const abandon = async (): Promise<void> => {
    endInBackground()
    await ending
    await sleep(AFTER_ENDING_MS, over)
    if (ended || over.aborted) return
    const reason = 'its streams are broken and it cannot be ended'
    log.emit('DOCKER_EXIT_CODE_FAILED', { reason }, { level: 'error' })
    left.abort()
  }
  pump.ended
    .then((error) => (error !== undefined && !ended && !over.aborted ? abandon() : undefined))
    .catch(() => undefined)
  return {
    exit: finish(),
    async resize(size, signal) {
      if (!tty) return
      const limited = AbortSignal.any([signal, over, AbortSignal.timeout(timeouts.window)])
      await terminal.resize(size, limited)
    },
    async signal(name, signal) {
      if (ended) throw fault('DOCKER_SIGNAL_FAILED_NO_PID', { signal: name })
      if (announcement === 'none') throw fault('DOCKER_EXEC_SIGNAL_FAILED_NO_AGENT', { signal: name })
      const limited = AbortSignal.any([signal, over, AbortSignal.timeout(timeouts.signal)])
      const target = await targetOf(limited)
      if (target === undefined) throw fault('DOCKER_SIGNAL_FAILED_NO_PID', { signal: name })
      delivered.add(name)
      await deliver(room, target, name, log, limited)
    },
    async [Symbol.asyncDispose]() {
      if (left.signal.aborted) return
      left.abort()
      if (!ended) {
        log.emit('DOCKER_CLOSE_OUTPUT_FAILED', { reason: 'the client closed the channel before the program ended' })
        endInBackground()
      }
      close()
    },
  }
}

/** What the runtime says when the program does not exist. */
const NOT_FOUND = /no such file or directory|not found/
const textOf = (header: Header): string => (header.kind === 'text' ? Buffer.from(header.text).toString('utf8') : '')

/** With the guest agent a missing announcement means that the image and the configuration do not fit together. */
function tellHeader(announcement: Announcement, pump: Pump, log: Log, over: AbortSignal): void {
  if (announcement !== 'agent') return
  pump.header
    .then((header) => {
      if (header.kind === 'pid' || over.aborted) return
      if (header.kind === 'short') log.emit('DOCKER_AGENT_READ_FAILED', { reason: 'the stream ended' })
      const reason = header.kind === 'short' ? 'the stream ended' : 'this is no process ID; is there an agent?'
      log.emit('DOCKER_EXEC_PID_READ_FAILED', { reason })
    })
    .catch(() => undefined)
}
