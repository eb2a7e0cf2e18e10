/** The commands that become programs in a pod. */
import type { Program } from '../../ports.ts'
import { announced, environment, SHELL, withSize } from '../guest/command.ts'
import { held } from '../guest/held.ts'
import type { Plan } from '../guest/plan.ts'
import { staying } from './staying.ts'

/**
 * The API takes no variables for a program in a running container, so the shell sets them: arguments `NAME=value …`, then
 * `--`, then the words of the program.
 */
const EXPORT = 'while [ "$1" != -- ]; do export "$1"; shift; done; shift; exec "$@"'
const withVariables = (words: readonly string[], variables: readonly string[]): readonly string[] =>
  variables.length === 0 ? words : [SHELL, '-c', EXPORT, 'sh', ...variables, '--', ...words]

/** As it can be with a shell. */
const kept = (words: readonly string[], { pty }: Program, lastWord: string | undefined): readonly string[] =>
  withSize(staying(words, pty !== undefined, lastWord), pty)

/** In a pod that runs. Old guest agents cannot replace a variable, so a shell of the image is better. */
export const execCommand = (
  plan: Plan,
  words: readonly string[],
  variables: readonly string[],
  program: Program,
  lastWord: string | undefined,
): readonly string[] =>
  plan.hasShell
    ? announced(plan, withVariables(kept(words, program, lastWord), variables))
    : announced(plan, words, variables, lastWord)

/**
 * As the main process of a pod of its own, where the variables are the pod's. Nobody is attached yet when the pod starts,
 * and what is said before that is lost: it waits for the word to begin.
 */
export const heldCommand = (
  plan: Plan,
  words: readonly string[],
  program: Program,
  lastWord: string | undefined,
): readonly string[] => {
  const own = plan.hasShell ? announced(plan, kept(words, program, lastWord)) : announced(plan, words, [], lastWord)
  return held(plan, own, program.pty)
}

/** A shell can only set what is a name to it. */
const isName = (variable: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*=/.test(variable)

/** Those of the login, then the channel's. */
export const variablesOf = (login: ReadonlyMap<string, string>, program: Program): readonly string[] =>
  [...[...login].map(([name, value]) => `${name}=${value}`), ...environment(program)].filter(isName)
