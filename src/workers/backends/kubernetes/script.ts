/**
 * What the shell of an image does in place of the guest agent. The API takes no variables for a program in a running
 * container, so the shell sets them: arguments `NAME=value …`, then `--`, then the words of the program.
 */
import type { Program, Pty } from '../../ports.ts'
import { environment, SHELL } from '../guest/command.ts'

const EXPORT = 'while [ "$1" != -- ]; do export "$1"; shift; done; shift'
/** The size from the pty request arrives too late for a program that asks at once. */
const SIZE = 'stty rows "$ROWS" cols "$COLS" 2>/dev/null; unset ROWS COLS'
/** Nobody is attached yet when the pod starts, and what is said before that is lost: it waits for one line. */
const WAIT = 'stty -echo 2>/dev/null; IFS= read -r _; stty echo 2>/dev/null'

/** Prints the process id, then becomes the program. */
export function withShell(words: readonly string[], variables: readonly string[], program: Program): readonly string[] {
  return [
    SHELL,
    '-c',
    `${EXPORT}; ${sized(program.pty)}echo $$; exec "$@"`,
    'sh',
    ...variables,
    ...size(program.pty),
    '--',
    ...words,
  ]
}

/** The same as the main process of a pod of its own, where the variables are the pod's. */
export function waitingShell(words: readonly string[], program: Program): readonly string[] {
  const script = `${WAIT}; ${EXPORT}; ${sized(program.pty)}echo $$; exec "$@"`
  return [SHELL, '-c', script, 'sh', ...size(program.pty), '--', ...words]
}

export const withAgent = (
  agentPath: string,
  words: readonly string[],
  variables: readonly string[],
): readonly string[] => [
  agentPath,
  'console',
  '--pid',
  ...variables.flatMap((variable) => ['--env', variable]),
  '--',
  ...words,
]

/** A shell can only set what is a name to it. */
const isName = (variable: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*=/.test(variable)

/** Those of the login, then the channel's. */
export const variablesOf = (login: ReadonlyMap<string, string>, program: Program): readonly string[] =>
  [...[...login].map(([name, value]) => `${name}=${value}`), ...environment(program)].filter(isName)

const isSized = (pty: Pty | undefined): pty is Pty => pty !== undefined && pty.size.rows > 0 && pty.size.columns > 0
const sized = (pty: Pty | undefined): string => (isSized(pty) ? `${SIZE}; ` : '')
const size = (pty: Pty | undefined): readonly string[] =>
  isSized(pty) ? [`ROWS=${pty.size.rows}`, `COLS=${pty.size.columns}`] : []
