/** Programs in a running container: created, started and attached; and small helpers that only give an exit code. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import { createDemux } from '../guest/demux.ts'
import type { RawStream } from '../guest/raw-stream.ts'
import type { ExecSpec } from './engine.ts'
import { askExitCode, positive, StillRunning } from './exit.ts'
import { persist } from './failure.ts'
import type { Room } from './room.ts'

/** @throws Fault */
export async function createExec(
  room: Room,
  containerId: string,
  spec: ExecSpec,
  log: Log,
  signal: AbortSignal,
): Promise<string> {
  log.emit('DOCKER_EXEC_CREATE', {})
  return persist(() => room.engine.createExec(containerId, spec, signal), {
    signal,
    retrying: (labels) => log.emit('DOCKER_EXEC_CREATE_FAILED', labels),
    failed: (labels, cause) => fault('DOCKER_EXEC_CREATE_FAILED', { ...labels }, { cause, level: 'error' }),
  })
}

/** @throws Fault */
export async function attachExec(
  room: Room,
  execId: string,
  tty: boolean,
  log: Log,
  signal: AbortSignal,
): Promise<RawStream> {
  log.emit('DOCKER_EXEC_ATTACH', {})
  return persist(() => room.engine.startExec(execId, tty, signal), {
    signal,
    retrying: (labels) => log.emit('DOCKER_EXEC_ATTACH_FAILED', labels),
    failed: (labels, cause) => fault('DOCKER_EXEC_ATTACH_FAILED', { ...labels }, { cause, level: 'error' }),
  })
}

/** Of what a helper says: enough for a sentence. */
const MOST_SAID_BYTES = 500

/** How a helper ended: -1 when nobody knows it; and the beginning of what it said. */
export interface Helped {
  readonly exitCode: number
  readonly said: string
}

/** Runs a helper to its end. `input` is all that it reads. @throws Fault */
export async function runHelper(
  room: Room,
  containerId: string,
  words: readonly string[],
  log: Log,
  signal: AbortSignal,
  input?: Uint8Array,
): Promise<Helped> {
  log.emit('DOCKER_EXEC', { command: words[0] })
  const spec = { Cmd: words, Env: [], Tty: false, stdin: input !== undefined, size: undefined }
  const id = await createExec(room, containerId, spec, log, signal)
  const raw = await attachExec(room, id, false, log, signal)
  try {
    if (input !== undefined) {
      raw.write(input)
      raw.end(() => undefined) // its exit code tells
    }
    const said = await heard(raw, signal)
    const ask = async (): Promise<number> => {
      const { Running, ExitCode } = await room.engine.execState(id, signal)
      if (Running || ExitCode === null) throw new StillRunning()
      return positive(ExitCode, log)
    }
    return { exitCode: (await askExitCode(ask, log, signal)) ?? -1, said }
  } finally {
    raw.destroy()
  }
}

const heard = (raw: RawStream, signal: AbortSignal): Promise<string> =>
  new Promise((resolve) => {
    let said = Buffer.alloc(0)
    const demux = createDemux((_type, payload) => {
      const more = payload.subarray(0, MOST_SAID_BYTES - said.length)
      if (more.length > 0) said = Buffer.concat([said, more])
    })
    const done = (): void => {
      signal.removeEventListener('abort', done)
      resolve(said.toString('utf8').trim())
    }
    if (signal.aborted) return done()
    signal.addEventListener('abort', done, { once: true })
    const data = (bytes: Uint8Array): void => {
      try {
        demux.push(bytes)
      } catch {
        done() // damaged: the exit code is asked for all the same
      }
    }
    raw.read({ data, ended: done, inputFailed: () => undefined })
  })
