/** Programs in a running container: created, started and attached; and small helpers that only give an exit code. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { ExecSpec } from './engine.ts'
import { askExitCode, positive, StillRunning } from './exit.ts'
import { persist } from './failure.ts'
import type { RawStream } from './hijack.ts'
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

/** Runs a helper to its end; its output is thrown away. Gives the exit code, -1 when nobody knows it. @throws Fault */
export async function runHelper(
  room: Room,
  containerId: string,
  words: readonly string[],
  log: Log,
  signal: AbortSignal,
): Promise<number> {
  log.emit('DOCKER_EXEC', { command: words[0] })
  const id = await createExec(
    room,
    containerId,
    { Cmd: words, Env: [], Tty: false, stdin: false, size: undefined },
    log,
    signal,
  )
  const raw = await attachExec(room, id, false, log, signal)
  try {
    await ended(raw, signal)
    const ask = async (): Promise<number> => {
      const { Running, ExitCode } = await room.engine.execState(id, signal)
      if (Running || ExitCode === null) throw new StillRunning()
      return positive(ExitCode, log)
    }
    return (await askExitCode(ask, log, signal)) ?? -1
  } finally {
    raw.destroy()
  }
}

const ended = (raw: RawStream, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', done, { once: true })
    raw.read({ data: () => undefined, ended: done, inputFailed: () => undefined })
  })
