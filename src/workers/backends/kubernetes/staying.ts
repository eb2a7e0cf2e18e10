/** A program whose outputs stay open until it ends, or until we have read them to their end. */
import { SHELL } from '../guest/command.ts'

/** Caught here, they have their usual effect in the program again (POSIX, 2.12 Shell Execution Environment). */
const caught = 'ABRT ALRM FPE HUP ILL INT PIPE QUIT SEGV TERM USR1 USR2'
/** What the shell itself has to say, such as "Terminated", goes nowhere. The first argument is the last word, or empty. */
const RUN = `trap : ${caught}; exec 3>&2 2>/dev/null; (exec 2>&3 3>&-; shift; exec "$@"); code=$?`
/**
 * After the program: see last-word.ts. Whoever has read it sends TERM, or removes the pod. What was killed for the cluster's
 * sake (137) ends at once, so that the state of its container tells why. An image without `sleep` is no worse off.
 */
const LINGER = `if [ -n "$1" ] && [ $code != 137 ]; then
sleep 3600 </dev/null >/dev/null 3>&- & { printf '\\036%s%s\\036' "$1" $code; printf '\\036%s%s\\036' "$1" $code >&3; wait $!; kill $!; }
fi; exit $code`
const STAY = `${RUN}; ${LINGER}`

/**
 * containerd takes the input away when one of the outputs is closed (`attachOutput` of its CRI plugin), and `cat >file`
 * would get a part of it. A shell that stays holds them. It leads the group, so that signals reach both. A terminal has
 * one output, which nobody closes.
 */
export const staying = (words: readonly string[], tty: boolean, lastWord = ''): readonly string[] =>
  tty ? words : [SHELL, '-c', STAY, 'sh', lastWord, ...words]
