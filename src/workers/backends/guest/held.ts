/** A program that is the main process of its container, but begins when we say so: after its files are there. */
import type { Pty } from '../../ports.ts'
import { SHELL } from '../guest/command.ts'
import type { Plan } from '../guest/plan.ts'

/** `read` takes single bytes, so what follows the newline is the program's (POSIX.1 XCU, read). */
const WAIT = 'IFS= read -r _; exec "$@"'
/** A terminal would show our newline. */
const WAIT_UNSEEN = 'stty -echo 2>/dev/null; IFS= read -r _; stty echo 2>/dev/null; exec "$@"'

export const held = ({ hasShell, agent = [] }: Plan, words: readonly string[], pty: Pty | undefined): string[] =>
  hasShell
    ? [SHELL, '-c', pty === undefined ? WAIT : WAIT_UNSEEN, 'sh', ...words]
    : [...agent, 'console', '--wait', '--', ...words]

/** The agent takes either; a terminal hands on whole lines only. */
export const startByte = ({ hasShell }: Plan, pty: Pty | undefined): Uint8Array =>
  Buffer.from(hasShell || pty !== undefined ? '\n' : '\0')
