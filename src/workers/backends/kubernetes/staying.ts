import { SHELL } from '../guest/command.ts'

/** Caught here, they have their usual effect in the program again (POSIX, 2.12 Shell Execution Environment). */
const caught = 'ABRT ALRM FPE HUP ILL INT PIPE QUIT SEGV TERM USR1 USR2'
/** What the shell itself has to say, such as "Terminated", goes nowhere. */
const STAY = `trap : ${caught}; exec 3>&2 2>/dev/null; (exec 2>&3 3>&-; exec "$@"); exit $?`

/**
 * A program whose outputs stay open until it ends: containerd takes the input away when one of them is closed
 * (`attachOutput` of its CRI plugin), and `cat >file` would get a part of it. A shell that stays holds them. It leads the
 * group, so that signals reach both. A terminal has one output, which nobody closes.
 */
export const staying = (words: readonly string[], tty: boolean): readonly string[] =>
  tty ? words : [SHELL, '-c', STAY, 'sh', ...words]
