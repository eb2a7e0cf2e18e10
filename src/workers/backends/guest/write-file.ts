/** The commands that put a file into a container, its content being their input. */
import { posix } from 'node:path'
import { SHELL } from './command.ts'
import type { Plan } from './plan.ts'

/**
 * Takes so many bytes, where there is somebody to count them: not every room can end the input of a program. A file
 * system in memory is empty at the start, so folders are made, too.
 */
const TAKE = 'if command -v head >/dev/null; then head -c "$3"; else cat; fi'
const WRITE = `umask 077; { test -d "$2" || mkdir -p "$2"; } && { ${TAKE}; } >"$1" && chmod "$4" "$1"`

/** For the user alone: files may be secrets. */
const privately = '600'

/** Undefined: there is nobody to do it. */
export function writingWords(
  { hasShell, agent }: Pick<Plan, 'hasShell' | 'agent'>,
  path: string,
  bytes: number,
): readonly string[] | undefined {
  if (hasShell) return byShell(path, bytes, privately)
  return agent === undefined ? undefined : [...agent, 'write-file', path]
}

/** For a program that everybody may run. */
export const installingWords = (path: string, bytes: number): readonly string[] => byShell(path, bytes, '755')

const byShell = (path: string, bytes: number, mode: string): readonly string[] => [
  ...[SHELL, '-c', WRITE, 'sh'],
  ...[path, posix.dirname(path), String(bytes), mode],
]
