/** The size of a program's terminal. */
import { asFault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { WindowSize } from '../../ports.ts'
import type { Size } from './engine.ts'
import { persist } from './failure.ts'

export interface Terminal {
  /** The first size, from the pty request. It never delays the program, and a program that is too quick for it is no failure. */
  resizeFirst(size: WindowSize, signal: AbortSignal): void
  /** @throws Fault */
  resize(size: WindowSize, signal: AbortSignal): Promise<void>
}

/**
 * One size after the other: the engine may carry out two calls in either order, and a first size that has to be tried
 * again would undo a later one.
 */
export function createTerminal(call: (size: Size, signal: AbortSignal) => Promise<void>, log: Log): Terminal {
  let last: Promise<unknown> | undefined
  const resize = async (size: WindowSize, signal: AbortSignal, before: Promise<unknown> | undefined): Promise<void> => {
    await before
    const labels = { width: size.columns, height: size.rows }
    log.emit('DOCKER_EXEC_RESIZE', labels)
    await persist(() => call(size, signal), {
      signal,
      retrying: (failure) => log.emit('DOCKER_EXEC_RESIZE_FAILED', { ...labels, ...failure }),
      failed: (failure, cause) => fault('DOCKER_EXEC_RESIZE_FAILED', { ...labels, ...failure }, { cause }),
    })
  }
  return {
    resizeFirst(size, signal) {
      last = resize(size, signal, last).catch((error) => log.fault(asFault(error)))
    },
    resize(size, signal) {
      const done = resize(size, signal, last)
      last = done.catch(() => undefined)
      return done
    },
  }
}
