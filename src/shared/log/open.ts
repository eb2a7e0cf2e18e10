/** Opens the places that a log can be written to as a descriptor. */
import { constants, fstatSync, openSync } from 'node:fs'

export interface Opened {
  readonly fd: number
  /** False for 1 and 2, which are not ours to close. */
  readonly owned: boolean
}

/** Create and append, mode 0644 minus umask. Without O_NONBLOCK a FIFO that nobody reads would stop us at its first 64 KiB. */
export function openFile(path: string): Opened {
  const { O_APPEND, O_CREAT, O_NONBLOCK, O_RDWR } = constants
  return { fd: openSync(path, O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK, 0o644), owned: true }
}

/**
 * Standard output or error. A pipe or terminal is opened a second time, because O_NONBLOCK on the original would also
 * change it for every other process that has it.
 */
export function openStandard(fd: 1 | 2): Opened {
  const stats = fstatSync(fd)
  if (stats.isFIFO() || stats.isCharacterDevice()) {
    try {
      return { fd: openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK), owned: true }
    } catch {
      // No /proc, or a terminal of another user: the original has to do.
    }
  }
  // A socket cannot be opened again. Node's own stream object switches it to non-blocking when it is made.
  if (stats.isSocket()) void (fd === 1 ? process.stdout : process.stderr)
  return { fd, owned: false }
}
