/** From what a channel asked for to the words that the engine executes. */
import type { Program, Pty } from '../../ports.ts'
import type { Announcement } from './header.ts'
import type { Plan } from './plan.ts'

export interface CommandSettings {
  readonly shellCommand: readonly string[]
  readonly subsystems: Readonly<Record<string, string>>
}

/** `undefined`: a subsystem (or scp) that is not configured, or not to be had as configured. */
export function wordsOf(
  what: Program['what'],
  settings: CommandSettings,
  { hasShell, sftp, scp = 'own' }: Pick<Plan, 'hasShell' | 'sftp'> & Partial<Pick<Plan, 'scp'>>,
): readonly string[] | undefined {
  if (what.kind === 'shell') return settings.shellCommand
  if (what.kind === 'exec') {
    if (scp === 'own' || !SCP_SERVER.test(what.command)) return execWords(what.command, hasShell)
    return scp === 'none' ? undefined : [...scp, ...scpArguments(what.command)]
  }
  if (what.name === 'sftp') return sftp
  const path = Object.hasOwn(settings.subsystems, what.name) ? settings.subsystems[what.name] : undefined
  return path === undefined ? undefined : [path]
}

/** What scp clients send when they do not use SFTP (scp.c of OpenSSH; PuTTY's pscp -scp). */
const SCP_SERVER = /^[ \t]*scp([ \t]+-[a-z]+)*[ \t]+-[a-z]*[tf]/
/** No shell reads them: it would also read what comes after a semicolon, and then bounds were none. */
const scpArguments = (command: string): readonly string[] => (splitWords(command) ?? ['scp', command]).slice(1)

/** As sshd does: the shell reads the string. A plain path with plain words needs no shell, and gets none. */
function execWords(command: string, hasShell: boolean): readonly string[] {
  if (PLAIN.test(command)) return command.trim().split(/[ \t]+/)
  if (hasShell) return [SHELL, '-c', command]
  return splitWords(command) ?? [command]
}

export const SHELL = '/bin/sh'
/** Begins with `/`, `./` or `../` and has no character that a shell would treat specially. */
const PLAIN = /^[ \t]*(\/|\.\.?\/)[A-Za-z0-9_@%+=:,./ \t-]*$/

/** Shell words: quotes and backslash, no expansion. Undefined when a quote is not closed. */
export function splitWords(text: string): string[] | undefined {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charAt(i)
    if (quote === "'" && char !== "'") word = `${word ?? ''}${char}`
    else if (quote !== '' && char === quote) quote = ''
    else if (char === '\\') {
      const next = text.charAt(i + 1)
      if (next === '') return undefined
      // Within double quotes the backslash only protects what would be special there (POSIX.1 XCU 2.2.3).
      word = (word ?? '') + (quote === '"' && !'"\\$`\n'.includes(next) ? `\\${next}` : next)
      i += 1
    } else if (quote !== '') word = `${word ?? ''}${char}`
    else if (char === "'" || char === '"') {
      quote = char
      word ??= ''
    } else if (' \t\n'.includes(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = `${word ?? ''}${char}`
  }
  if (quote !== '') return undefined
  if (word !== undefined) words.push(word)
  return words
}

/** Prints the process id, then becomes the program: no process is added. $0 names the shell's own error messages. */
const SHIM = 'echo $$; exec "$@"'
export const withShim = (words: readonly string[]): readonly string[] => [SHELL, '-c', SHIM, 'sh', ...words]

/**
 * Engines before API 1.42 give a terminal its size only after the program has started, too late for one that asks at
 * once. An image without stty is no worse off. A size that is there already may be a later one
 * (coreutils' stty tells of none as 0 0, busybox' fails).
 */
const SIZED =
  'case $(stty size 2>/dev/null) in ""|"0 0") stty rows "$1" cols "$2" 2>/dev/null;; esac; shift 2; exec "$@"'
export function withSize(words: readonly string[], pty: Pty | undefined): readonly string[] {
  const { rows = 0, columns = 0 } = pty?.size ?? {}
  return rows === 0 || columns === 0 ? words : [SHELL, '-c', SIZED, 'sh', String(rows), String(columns), ...words]
}

/** `agent`: the words before its subcommand. `env`: NAME=value. `lastWord`: see last-word.ts; our own agent knows it. */
export const withAgent = (
  agent: readonly string[],
  words: readonly string[],
  env: readonly string[] = [],
  lastWord?: string,
): readonly string[] => [
  ...[...agent, 'console', '--pid', ...env.flatMap((one) => ['--env', one])],
  ...(lastWord === undefined ? [] : ['--last-word', lastWord]),
  ...['--', ...words],
]

/** Who tells the process ID of a program. */
export const announcementOf = ({ agent, mode }: Plan): Announcement =>
  agent !== undefined ? 'agent' : mode === 'shell' ? 'shim' : 'none'

export function announced(
  plan: Plan,
  words: readonly string[],
  env: readonly string[] = [],
  lastWord?: string,
): readonly string[] {
  if (plan.agent !== undefined) return withAgent(plan.agent, words, env, lastWord)
  return plan.mode === 'shell' ? withShim(words) : words
}

/** Whether there is somebody in the container who can take the streams of programs from FIFOs. Agents in images cannot. */
export const canBeDirect = ({ hasShell, mode }: Pick<Plan, 'hasShell' | 'mode'>): boolean =>
  mode === 'inject' || (hasShell && mode !== 'none')

/**
 * `streams`: of FIFOs `<streams>.in`, `.out` and `.err`, which become the program's streams, and where it is announced.
 * Whatever stands in the way, the engine's remain. `<>` does not wait for the other end (sh on Linux); without `command` a shell would end
 * when it cannot open something (POSIX.1 XCU, 2.8.1).
 */
const TAKE = [
  'if [ -p "$1.in" ] && { command exec 7<>"$1.in" 8<>"$1.out" 9<>"$1.err"; } 2>/dev/null',
  'then exec <"$1.in" >"$1.out" 2>"$1.err"',
  'fi',
  'exec 7>&- 8>&- 9>&-',
  'shift',
].join('; ')
export function announcedOver(streams: string, plan: Plan, words: readonly string[]): readonly string[] {
  if (plan.mode === 'inject') {
    const [agent = '', console = '', ...rest] = announced(plan, words)
    return [agent, console, '--streams', streams, ...rest]
  }
  const [script, own] = plan.mode === 'shell' ? [SHIM, words] : ['exec "$@"', announced(plan, words)]
  return [SHELL, '-c', `${TAKE}; ${script}`, 'sh', streams, ...own]
}

/**
 * The variables of a program as the engine takes them: the channel's, over those that its place has for all programs. A
 * name that cannot be one is left out rather than damaged.
 */
export function environment(program: Program, place: readonly string[] = []): string[] {
  const own = [...program.env].filter(([name]) => /^[^=\0]+$/.test(name)).map(([name, value]) => `${name}=${value}`)
  const term = program.pty?.term ?? ''
  const list = term === '' ? own : [...own, `TERM=${term}`]
  return place.length === 0 ? list : [...place.filter((line) => !program.env.has(nameOf(line))), ...list]
}
const nameOf = (line: string): string => line.slice(0, line.indexOf('='))
