/** One program in a sandbox: its streams, size, signals and end are those of a channel. */
import { fault } from '../../../shared/codes/fault.ts'
import { aborted } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Exit, Program, Running, Stdio, WindowSize } from '../../ports.ts'
import { environment } from '../guest/command.ts'
import { createConduit } from '../guest/conduit.ts'
import { drained } from '../guest/drained.ts'
import { exitBySignal, signalNumber, UNKNOWN_EXIT } from '../guest/exit.ts'
import { HELPER } from '../guest/plan.ts'
import { inputOf, type RawStream } from '../guest/raw-stream.ts'
import { politeSignal } from '../guest/signal.ts'
import type { Init } from './init.ts'
import type { SandboxSettings } from './room.ts'
import { type End, encodeStart, followStream, type Start } from './start.ts'

export interface Place {
  readonly init: Init
  readonly settings: SandboxSettings
  /** What programs have before the variables of their channel, NAME=value. */
  readonly env: readonly string[]
}

let last = 0
export const nextId = (): number => {
  last += 1
  return last
}

/** @throws Fault */
export async function runProgram(
  { init, settings, env }: Place,
  words: readonly string[],
  program: Program,
  stdio: Stdio,
  log: Log,
  signal: AbortSignal,
): Promise<Running> {
  const tty = program.pty !== undefined
  log.emit('SANDBOX_EXEC', {
    command: (program.what.kind === 'exec' ? program.what.command : words[0])?.slice(0, 256),
  })
  const id = nextId()
  const raw = openRaw(init, {
    id,
    terminal: program.pty === undefined ? undefined : sizeOf(program.pty.size),
    folder: settings.user.home,
    words: timed(words, settings.limits.cpuTime),
    env: environment(program, env),
  })
  const failed = (error: Error): void => log.emit('SANDBOX_STREAM_FAILED', { reason: error.message }, { cause: error })
  const conduit = createConduit({ flow: raw, tty, announcement: 'never', stdio, input: inputOf(raw, tty, failed) })
  const over = Promise.withResolvers<void>()
  const following = followStream(raw, {
    stdout: conduit.stdout,
    stderr: conduit.stderr,
    over(error) {
      if (error !== undefined) failed(error)
      conduit.finish()
      over.resolve()
    },
    inputFailed: failed,
  })
  conduit.start()
  const limited = AbortSignal.any([signal, init.closing, AbortSignal.timeout(settings.timeouts.commandStart)])
  if ((await Promise.race([following.started, aborted(limited)])) === undefined) {
    init.order(['end', id, signalNumber('KILL') ?? 9])
    raw.destroy()
    conduit.close()
    const reason = limited.aborted ? 'it was given up' : 'the sandbox does not answer'
    throw fault('SANDBOX_EXEC_FAILED', { reason }, limited.aborted ? { level: 'debug' } : {})
  }
  const close = (): void => {
    raw.destroy()
    if (conduit.close()) over.resolve()
  }
  const pump = { ended: over.promise, quietMs: conduit.quietMs, tell: conduit.tell, close }
  return follow(init, id, following.end, pump, program, log)
}

const OUT_OF_MEMORY = 'the sandbox has run out of memory, and a program in it was killed'
const SPENT = 'the processor time of the session is used up'

/** By KILL, or a shell tells that something in it was; or nobody tells any more. */
const isKilled = (end: End | undefined): boolean =>
  end === undefined || (end.kind === 'status' ? end.code === 137 : end.signal === 9)

interface Pump {
  readonly ended: Promise<void>
  quietMs(): number
  tell(text: string): void
  close(): void
}

function follow(
  init: Init,
  id: number,
  end: Promise<End | undefined>,
  pump: Pump,
  program: Program,
  log: Log,
): Running {
  const left = new AbortController()
  const over = AbortSignal.any([left.signal, init.closing])
  const delivered = new Set<string>()
  let ended = false
  const finish = async (): Promise<Exit> => {
    const found = await Promise.race([end, aborted(over)])
    ended = found !== undefined
    if (ended) await drained(pump, over)
    if (init.isSpent()) pump.tell(SPENT)
    const outOfMemory = isKilled(found) && (await init.toldOfMemory())
    if (outOfMemory) pump.tell(OUT_OF_MEMORY)
    pump.close()
    if (found === undefined) return UNKNOWN_EXIT
    const exit: Exit =
      found.kind === 'status'
        ? found
        : exitBySignal(found.signal, found.coreDumped, delivered, outOfMemory ? 'the sandbox ran out of memory' : '')
    log.emit('SANDBOX_EXIT_CODE', exit.kind === 'status' ? { exitCode: exit.code } : { signal: exit.name })
    return exit
  }
  return {
    exit: finish(),
    async resize(size) {
      if (program.pty !== undefined && !ended) init.order(['resize', id, ...sizeOf(size)])
    },
    async signal(name) {
      if (ended) throw fault('SANDBOX_SIGNAL_FAILED_NO_PID', { signal: name })
      const number = signalNumber(name)
      if (number === undefined) {
        throw fault('SANDBOX_SIGNAL_FAILED', { signal: name, reason: 'there is no such signal in SSH' })
      }
      log.emit('SANDBOX_SIGNAL', { signal: name })
      delivered.add(name)
      init.order(['signal', id, number])
    },
    async [Symbol.asyncDispose]() {
      if (left.signal.aborted) return
      left.abort()
      if (!ended) init.order(['end', id, signalNumber(politeSignal(program.pty !== undefined)) ?? 15])
      pump.close()
    },
  }
}

/** @throws Fault */
export function openRaw(init: Init, start: Start): RawStream {
  try {
    return init.open(encodeStart(start))
  } catch (cause) {
    throw fault('SANDBOX_EXEC_FAILED', { reason: (cause as Error).message }, { cause })
  }
}

/** The first process cannot have the limit itself: it lives as long as the connection. */
const timed = (words: readonly string[], cpuTimeMs: number): readonly string[] =>
  cpuTimeMs === 0 ? words : [HELPER, 'console', '--limit', `cpu=${Math.ceil(cpuTimeMs / 1000)}`, '--', ...words]

const sizeOf = ({ rows, columns, widthPixels, heightPixels }: WindowSize): [number, number, number, number] => [
  rows,
  columns,
  widthPixels,
  heightPixels,
]
