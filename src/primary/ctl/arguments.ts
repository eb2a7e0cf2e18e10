/** The command line of `containerssh ctl`. */
import { nearest } from '../../shared/config/problems.ts'

export const DEFAULT_SOCKET = '/run/containerssh/control.sock'

/** Where the daemon is, and in which form it is told. */
export interface CtlBasics {
  /** Of the control socket. */
  readonly socket: string
  /** Of the configuration that names the socket, if one was given. */
  readonly config: string | undefined
  readonly json: boolean
}
export type CtlCommand =
  | { readonly verb: 'status' | 'workers' | 'drain' | 'undrain' }
  /** `all`: also those that have not logged in. */
  | { readonly verb: 'list'; readonly all: boolean }
  | { readonly verb: 'show'; readonly id: string }
  /** `plain`: control characters made visible. */
  | { readonly verb: 'watch'; readonly id: string; readonly channel: string | undefined; readonly plain: boolean }
  | { readonly verb: 'message'; readonly id: string; readonly text: string; readonly stderr: boolean }
  | { readonly verb: 'kill'; readonly id: string; readonly reason: string }
  | { readonly verb: 'kill-user'; readonly user: string; readonly reason: string }
  /** `part`: of the name. */
  | { readonly verb: 'metrics'; readonly part: string }
export type CtlAction = CtlBasics & CtlCommand

export type CtlWords =
  | { readonly kind: 'ctl'; readonly action: CtlAction }
  | { readonly kind: 'ctl-help' }
  | { readonly kind: 'wrong'; readonly message: string }

export const ctlUsage = `Usage: containerssh ctl [--socket PATH | --config FILE] [--json] COMMAND

See and end the sessions of a server that runs, through its control socket.

  status                        is it ready, who else runs, how many connections
  list [--all]                  connections; --all: also those that have not logged in
  show ID                       one connection and its channels
  watch [--channel N] [--plain] ID
                                what the session puts out, as it comes, until q or Ctrl-C; nothing is sent to it.
                                --channel: only this one; --plain: control characters are made visible
  message [--stderr] ID TEXT    write a line to the terminals of the connection; --stderr: for programs without one, too
  kill [--reason TEXT] ID       end the connection; its client reads the reason
  kill [--reason TEXT] --user NAME
                                end all connections of a user
  drain                         let nobody in any more; who is in stays; the health check says "not ok"
  undrain                       let connections in again
  workers                       the worker processes
  metrics [PART]                what is counted and measured; PART: names with this in them

  --socket PATH   the control socket; default ${DEFAULT_SOCKET}
  --config FILE   the configuration that names it (control.path)
  --json          one JSON document; of watch, one for each line

  An ID is the connectionId of the log and of audit logs, or its first digits, at least four.
  Exit status: 0 well; 1 the server refused or failed; 2 wrong arguments; 3 no server answers at the socket; 4 the socket
  may not be used; 5 there is no such connection or user; 6 more than one connection begins with the digits.
`

const verbs = {
  status: [],
  list: ['all'],
  show: [],
  watch: ['channel', 'plain'],
  message: ['stderr'],
  kill: ['reason', 'user'],
  drain: [],
  undrain: [],
  workers: [],
  metrics: [],
} as const satisfies Readonly<Record<string, readonly Flag[]>>
type Verb = keyof typeof verbs

const withValue = ['socket', 'config', 'channel', 'reason', 'user'] as const
const switches = ['json', 'all', 'plain', 'stderr', 'help', 'h'] as const
type Flag = (typeof withValue)[number] | (typeof switches)[number]
const general: readonly Flag[] = ['socket', 'config', 'json', 'help', 'h']

interface Given {
  readonly flags: Map<Flag, string>
  readonly operands: string[]
}

const isFlag = (name: string): name is Flag => [...withValue, ...switches].some((known) => known === name)
const takesValue = (name: Flag): boolean => withValue.some((known) => known === name)

/** A text: what is wrong with the words. */
function collect(words: readonly string[]): Given | string {
  const given: Given = { flags: new Map(), operands: [] }
  const rest = [...words]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      given.operands.push(...rest)
      return given
    }
    const [, name, value] = /^--?([a-z]+)(?:=(.*))?$/s.exec(word) ?? []
    if (name === undefined) {
      given.operands.push(word)
      continue
    }
    if (!isFlag(name)) {
      const meant = nearest(name, [...withValue, ...switches])
      return `unknown flag: --${name}${meant === undefined ? '' : `; did you mean --${meant}?`}`
    }
    if (!takesValue(name) && value !== undefined) return `flag --${name} takes no value`
    const text = takesValue(name) ? (value ?? rest.shift()) : ''
    if (text === undefined || (text === '' && takesValue(name))) return `flag needs a value: --${name}`
    given.flags.set(name, text)
  }
  return given
}

export function parseCtlArguments(words: readonly string[]): CtlWords {
  const given = collect(words)
  if (typeof given === 'string') return wrong(given)
  const { flags, operands } = given
  if (flags.has('help') || flags.has('h')) return { kind: 'ctl-help' }
  const [name = '', ...rest] = operands
  if (!Object.hasOwn(verbs, name)) {
    const meant = nearest(name, Object.keys(verbs))
    const known = Object.keys(verbs).join(', ')
    return wrong(`ctl needs one of ${known}${meant === undefined ? '' : `; did you mean ${meant}?`}`)
  }
  const verb = name as Verb // of the table
  const allowed: readonly Flag[] = [...general, ...verbs[verb]]
  for (const flag of flags.keys()) if (!allowed.includes(flag)) return wrong(`--${flag} does not belong to ctl ${verb}`)
  if (flags.has('socket') && flags.has('config')) return wrong('give either --socket or --config')
  const command = commandOf(verb, rest, flags)
  if (typeof command === 'string') return wrong(command)
  const basics = {
    socket: flags.get('socket') ?? DEFAULT_SOCKET,
    config: flags.get('config'),
    json: flags.has('json'),
  }
  return { kind: 'ctl', action: { ...basics, ...command } }
}

const wrong = (message: string): CtlWords => ({ kind: 'wrong', message })

/** A text: what is wrong. */
function commandOf(verb: Verb, operands: readonly string[], flags: ReadonlyMap<Flag, string>): CtlCommand | string {
  const [first, second, ...others] = operands
  switch (verb) {
    case 'message':
      if (first === undefined || second === undefined || others.length > 0) return 'ctl message needs an ID and a text'
      return { verb, id: first, text: second, stderr: flags.has('stderr') }
    case 'metrics':
      return second === undefined ? { verb, part: first ?? '' } : 'ctl metrics takes one part of a name'
    case 'kill': {
      const user = flags.get('user')
      const reason = flags.get('reason') ?? ''
      if ((user === undefined) === (first === undefined) || second !== undefined) {
        return 'ctl kill needs either an ID or --user NAME'
      }
      return user === undefined ? { verb, id: first ?? '', reason } : { verb: 'kill-user', user, reason }
    }
    case 'show':
    case 'watch':
      if (first === undefined || second !== undefined) return `ctl ${verb} needs exactly one ID`
      if (verb === 'show') return { verb, id: first }
      return { verb, id: first, channel: flags.get('channel'), plain: flags.has('plain') }
    default:
      if (first !== undefined) return `ctl ${verb} takes nothing else`
      return verb === 'list' ? { verb, all: flags.has('all') } : { verb }
  }
}
