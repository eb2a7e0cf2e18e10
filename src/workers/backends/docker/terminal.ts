/** The size of a program's terminal. */
import { asFault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { WindowSize } from '../../ports.ts'
import type { Size } from './engine.ts'
import { persist } from './failure.ts'

/** @throws Fault */
export function resize(
  call: (size: Size, signal: AbortSignal) => Promise<void>,
  size: WindowSize,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const labels = { width: size.columns, height: size.rows }
  log.emit('DOCKER_EXEC_RESIZE', labels)
  return persist(() => call(size, signal), {
    signal,
    retrying: (failure) => log.emit('DOCKER_EXEC_RESIZE_FAILED', { ...labels, ...failure }),
    failed: (failure, cause) => fault('DOCKER_EXEC_RESIZE_FAILED', { ...labels, ...failure }, { cause }),
  })
}

/** The first size, from the pty request. It never delays the program, and a program that is too quick for it is no failure. */
export function resizeFirst(
  call: (size: Size, signal: AbortSignal) => Promise<void>,
  size: WindowSize,
  log: Log,
  signal: AbortSignal,
): void {
  resize(call, size, log, signal).catch((error) => log.fault(asFault(error)))
}
