/** How a program ended, from the Status object at the end of its stream or from its pod. */
import type { Status } from './stream.ts'

/** Of an exec: when nobody can say how it ended. Never 0. */
export const lostExit = 255

/** Undefined: it could not be started, or the cluster failed; `startFailure` tells more. */
export function exitCodeOf({ status, details }: Status): number | undefined {
  if (status === 'Success') return 0
  const cause = details?.causes?.find(({ reason }) => reason === 'ExitCode')
  const code = Number(cause?.message ?? Number.NaN)
  return Number.isInteger(code) && code >= 0 && code <= 255 ? code : undefined
}

/** A shell's number for a program that could not be started: 127 not found, 126 not executable; undefined: neither. */
export function startFailure({ message = '' }: Status): number | undefined {
  if (/no such file or directory|not found/.test(message)) return 127
  if (/permission denied|exec format error|is a directory/i.test(message)) return 126
  return undefined
}
