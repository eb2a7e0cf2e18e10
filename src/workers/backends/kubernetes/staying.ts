import { SHELL } from '../guest/command.ts'

/** Caught here, they have their usual effect in the program (POSIX, 2.12 Shell Execution Environment). */
const caught = 'ABRT ALRM FPE HUP ILL INT PIPE QUIT SEGV TERM USR1 USR2'
/** What the shell itself has to say, such as "Terminated", goes nowhere. */
const STAY = `trap : ${caught}; exec 3>&2 2>/dev/null; "$@" 2>&3 3>&-; exit $?`

/**
 * A program whose outputs stay open until it ends: containerd takes the input away when one of them is closed
 * (`attachOutput` of its CRI plugin), and `cat >file` would get a part of it. A shell that stays holds them; it leads the
 * group, so that signals reach both.
 */
export const staying = (words: readonly string[]): readonly string[] => [SHELL, '-c', STAY, 'sh', ...words]
