/** What an exit code means in SSH's terms. */
import type { Exit, Program } from '../../ports.ts'

/** The signals that SSH names (RFC 4254 section 6.10), by their number on Linux. */
const signals: Readonly<Record<number, string>> = {
  1: 'HUP',
  2: 'INT',
  3: 'QUIT',
  4: 'ILL',
  6: 'ABRT',
  8: 'FPE',
  9: 'KILL',
  10: 'USR1',
  11: 'SEGV',
  12: 'USR2',
  13: 'PIPE',
  14: 'ALRM',
  15: 'TERM',
}
/** When nobody can say how the program ended: the number of a killed one, but no claim that a signal was seen. */
export const UNKNOWN_EXIT: Exit = { kind: 'status', code: 137 }

export const isSignalName = (name: string): boolean => Object.values(signals).includes(name)
/** On Linux; undefined: SSH has no signal of that name. */
export function signalNumber(name: string): number | undefined {
  const found = Object.entries(signals).find(([, known]) => known === name)
  return found === undefined ? undefined : Number(found[0])
}

/** Of a program that is known to have ended by a signal. What shells hand on every day stays a number, as in `exitOf`. */
export function exitBySignal(number: number, coreDumped: boolean, delivered: ReadonlySet<string>, message = ''): Exit {
  const name = signals[number]
  const isStatus = name === undefined || ((name === 'INT' || name === 'PIPE') && !delivered.has(name))
  return isStatus ? { kind: 'status', code: 128 + number } : { kind: 'signal', name, coreDumped, message }
}

/**
 * The kernel's wait status does not survive: containerd's shim folds a death by signal n into exit code 128 + n, which
 * is also what a shell returns whose child died so. No process in the container can tell either without standing
 * between the engine and the program for its whole life, and even then there is no way to report it: all 256 codes are
 * taken and the streams belong to the program. So:
 * - a signal that we delivered ourselves, and its code: killed by it;
 * - `shell` requests, INT and PIPE: a status. Shells hand on 130 and 141 of what ran in them every day (Ctrl-C, then
 *   exit), and the client's user then reads the number the shell meant;
 * - any other named signal's code from a command: killed by it, the engine's convention. A command that ends with
 *   `exit 143` of its own is mistaken for killed.
 */
export function exitOf(
  code: number,
  what: Program['what']['kind'],
  delivered: ReadonlySet<string>,
  outOfMemory: boolean,
): Exit {
  const name = signals[code - 128]
  const isStatus = what === 'shell' || name === 'INT' || name === 'PIPE'
  if (name === undefined || (isStatus && !delivered.has(name))) return { kind: 'status', code }
  return { kind: 'signal', name, coreDumped: false, message: outOfMemory ? 'the container ran out of memory' : '' }
}
