/** The commands that send signals to a program, from within its container. */
import { SHELL } from './command.ts'
import type { Plan } from './plan.ts'

/**
 * The group first, as sshd does (an exec'd program leads its session, so its group has its number), then the process.
 * `kill -NAME -GROUP` is the one form that bash, dash and busybox all take: busybox knows no `--`, dash wants it after `-s`.
 */
const KILL = 'kill "-$1" "-$2" 2>/dev/null || kill "-$1" "$2"'
/**
 * A polite signal, up to two seconds of patience, then the end; unless the number is that of another process by then,
 * whose start (the 20th field after the name in /proc/PID/stat, proc(5)) is another one.
 */
const END = `begun() { { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null && set -- \${line##*) } && echo "\${20}"; }
first=$(begun "$2")
kill "-$1" "-$2" 2>/dev/null || exit 0
i=0
while [ $i -lt 20 ] && kill -0 "-$2" 2>/dev/null; do sleep 0.1 || sleep 1; i=$((i + 1)); done
now=$(begun "$2")
[ -n "$now" ] && [ "$now" != "$first" ] || kill -KILL "-$2" 2>/dev/null`

/** A shell knows groups; the guest agents that are in images do not. */
export const signalWords = (
  { hasShell, agent }: Pick<Plan, 'hasShell' | 'agent'>,
  pid: number,
  name: string,
): readonly string[] =>
  hasShell || agent === undefined
    ? [SHELL, '-c', KILL, 'sh', name, String(pid)]
    : [...agent, 'signal', '--pid', String(pid), '--signal', name]

/** What sshd sends when the client has gone. */
export const politeSignal = (tty: boolean): string => (tty ? 'HUP' : 'TERM')

/** Ends a program, in a container with a shell. */
export const endingWords = (pid: number, tty: boolean): readonly string[] => [
  ...[SHELL, '-c', END, 'sh', politeSignal(tty), String(pid)],
]
