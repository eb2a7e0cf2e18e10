/** How a program ended: the engine's exit code, and what it means in SSH's terms. */
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { asEngineError, EngineError, failureLabels } from './failure.ts'
import type { Pump } from './pump.ts'
import type { Room } from './room.ts'

/** The engine may fail to answer for that long, a restart for example, before the code of a container is given up. */
const ASKING_MS = 60_000
/** An engine that was restarted does not know the execs of before; one that is only out of reach is soon back. */
const ASKING_EXEC_MS = 5000
/** There is no exit code yet because the program runs. */
export class StillRunning extends Error {}

export interface Patience {
  /** For how long the engine may fail to answer. */
  readonly failingMs: number
  /** The news will come by itself. */
  isTold(): boolean
}
const insistent: Patience = { failingMs: ASKING_MS, isTold: () => false }
/** The engine's news of an end comes so much later than the end itself, at most, when nothing is wrong. */
const NEWS_MS = 100
/** From then on it is worth waiting for the news. */
const TOLD_AFTER_MS = 500

/**
 * Asks for an exit code at once, then after 5, 10, 20 … ms, for as long as the program runs. Undefined: nobody knows.
 * @throws StillRunning when it is better to wait for the news
 */
export async function askExitCode(
  ask: () => Promise<number>,
  log: Log,
  signal: AbortSignal,
  { failingMs, isTold } = insistent,
): Promise<number | undefined> {
  let pauseMs = 5
  let failingSince: number | undefined
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask()
    } catch (thrown) {
      if (signal.aborted) return undefined
      if (thrown instanceof StillRunning) {
        failingSince = undefined
        if (pauseMs > TOLD_AFTER_MS && isTold()) throw thrown
      } else {
        failingSince ??= performance.now()
        const error = asEngineError(thrown)
        const hopeless = error.permanent || performance.now() - failingSince > failingMs
        tellFailure(error, attempt, hopeless, log)
        if (hopeless) return undefined
      }
    }
    await sleep(pauseMs, signal)
    if (signal.aborted) return undefined
    pauseMs = Math.min(failingMs / 6, pauseMs * 2)
  }
}

function tellFailure(error: EngineError, attempt: number, last: boolean, log: Log): void {
  const labels = failureLabels(error, attempt, last && !error.permanent)
  log.emit('DOCKER_EXIT_CODE_FAILED', labels, { cause: error, ...(last ? { level: 'error' } : {}) })
}

/** The exit code of an exec: told by the engine's event, or asked for once the output has ended. */
export async function execExitCode(
  room: Room,
  execId: string,
  pump: Pump,
  log: Log,
  signal: AbortSignal,
): Promise<number | undefined> {
  const code = Promise.withResolvers<number | undefined>()
  const known = new AbortController()
  let asking = false
  let outputEnded = false
  const ask = async (): Promise<number> => {
    const state = await room.engine.execState(execId, AbortSignal.any([signal, known.signal]))
    if (state.Running || state.ExitCode === null) {
      log.emit('DOCKER_EXIT_CODE_STILL_RUNNING', {})
      throw new StillRunning()
    }
    return positive(state.ExitCode, log)
  }
  const look = (): void => {
    if (asking || known.signal.aborted) return
    asking = true
    const patience = { failingMs: ASKING_EXEC_MS, isTold: () => room.ends.isUp }
    askExitCode(ask, log, AbortSignal.any([signal, known.signal]), patience).then(code.resolve, (error) => {
      asking = false
      if (!(error instanceof StillRunning)) code.reject(error)
    })
  }
  // A missed event means one look; while the program runs and its output is open there is nothing to repeat.
  const missed = (): void => {
    if (outputEnded) look()
    else ask().then(code.resolve, () => undefined)
  }
  const exited = (exitCode: number): void => {
    if (exitCode >= 0) code.resolve(exitCode)
    else look() // tells about it, and hopes for a better answer
  }
  const unwatch = room.ends.watch(execId, { exited, missed })
  pump.ended
    .then(async () => {
      outputEnded = true
      if (pump.isDirect && room.ends.isUp) await sleep(NEWS_MS, known.signal)
      look()
    })
    .catch(code.reject)
  const aborted = (): void => code.resolve(undefined)
  signal.addEventListener('abort', aborted, { once: true })
  try {
    if (signal.aborted) aborted()
    return await code.promise
  } finally {
    signal.removeEventListener('abort', aborted)
    known.abort()
    unwatch()
  }
}

/** @throws EngineError for a code that no program can have. */
export function positive(exitCode: number, log: Log): number {
  if (exitCode >= 0) return exitCode
  log.emit('DOCKER_EXIT_CODE_NEGATIVE', { exitCode })
  throw new EngineError(200, `the engine reports the exit code ${exitCode}`)
}

/** After a death by KILL: was it the kernel, for want of memory? */
export async function ranOutOfMemory(room: Room, containerId: string, code: number, log: Log): Promise<boolean> {
  if (code !== 137) return false
  // The flag is set when a container ends, so of one that goes on only the event tells, which may come a moment late.
  const ask = async (): Promise<boolean> =>
    room.ends.ranOutOfMemory(containerId) ||
    (await room.engine.containerState(containerId, AbortSignal.timeout(5000)).catch(() => undefined))?.OOMKilled ===
      true
  if (!(await ask())) {
    await sleep(100)
    if (!room.ends.ranOutOfMemory(containerId)) return false
  }
  log.emit('DOCKER_OUT_OF_MEMORY', { containerId })
  return true
}
