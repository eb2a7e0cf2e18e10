/**
 * A program that is the main process of its container, but begins when we say so: after its files are there, and after
 * its display and its agent are, of which it has to be told. It waits for lines NAME=value and an empty one.
 */
import type { Program, Pty } from '../../ports.ts'
import { SHELL } from './command.ts'
import type { Plan } from './plan.ts'

/** `read` takes single bytes, so what follows the empty line is the program's (POSIX.1 XCU, read). */
const WAIT = 'while IFS= read -r line && [ -n "$line" ]; do export "$line"; done'
/** A terminal would show our lines. */
const WAIT_UNSEEN = `stty -echo 2>/dev/null; ${WAIT}; stty echo 2>/dev/null`

export const held = ({ hasShell, mode, agent = [] }: Plan, words: readonly string[], pty: Pty | undefined): string[] =>
  hasShell
    ? [SHELL, '-c', `${pty === undefined ? WAIT : WAIT_UNSEEN}; exec "$@"`, 'sh', ...words]
    : [...agent, 'console', mode === 'inject' ? '--wait-env' : '--wait', '--', ...words]

/** Whether there is somebody who can wait. Agents in images are told nothing but to begin. */
export const canWait = ({ hasShell, agent }: Plan): boolean => hasShell || agent !== undefined
export const canBeTold = ({ hasShell, mode }: Pick<Plan, 'hasShell' | 'mode'>): boolean => hasShell || mode === 'inject'

/** Whether the program has something that can only be opened in its container. */
export const hasDoors = ({ doors = [] }: Program): boolean => doors.length > 0

/** An agent takes NUL or a newline; a terminal hands on whole lines only. */
export function startOf(plan: Plan, pty: Pty | undefined, variables: ReadonlyMap<string, string>): Uint8Array {
  if (!canBeTold(plan)) return Buffer.from(pty === undefined ? '\0' : '\n')
  return Buffer.from([...[...variables].map(([name, value]) => `${name}=${value}\n`), '\n'].join(''))
}
