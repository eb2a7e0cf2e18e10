/** The command line: the flags of the Go program (one or two dashes, `--flag value` or `--flag=value`) and commands. */
import { nearest } from '../shared/config/problems.ts'
import { type AuditAction, auditUsage, parseAuditArguments } from './audit-tools/arguments.ts'
import { type CtlAction, parseCtlArguments } from './ctl/arguments.ts'
import {
  parseWebhookServerArguments,
  type WebhookServerAction,
  webhookServerUsage,
} from './webhook-server-arguments.ts'

export type Action =
  | { readonly kind: 'serve' | 'check-config' | 'migrate-config' | 'health-check'; readonly config: string }
  | { readonly kind: 'dump-config'; readonly config: string; readonly showSecrets: boolean }
  | { readonly kind: 'licenses' | 'version' | 'hash-password' | 'help' }
  | { readonly kind: 'quickstart'; readonly state?: string; readonly listen?: string; readonly backend?: string }
  | { readonly kind: 'audit'; readonly action: AuditAction }
  | { readonly kind: 'ctl'; readonly action: CtlAction }
  | { readonly kind: 'ctl-help' }
  | WebhookServerAction
  | { readonly kind: 'wrong'; readonly message: string }

export const usage = `Usage: containerssh [--config FILE]              run the server
       containerssh check-config [--config FILE]   say what is wrong with a configuration, and end
       containerssh migrate-config [--config FILE] print a configuration of an older version in today's form
       containerssh hash-password                  read a password, print its hash for auth.users
       containerssh quickstart [--state DIR] [--listen HOST:PORT] [--backend docker|sandbox]
                                                   run with a configuration of its own, made on first start
       containerssh audit TOOL ...                 read audit logs
       containerssh ctl COMMAND ...                see and end the sessions of the running server; see ctl --help
${webhookServerUsage}

${auditUsage}
  --config FILE          the configuration; default config.yaml in the working directory
  --check-config         the same as check-config
  --dump-config          print the effective configuration as YAML, with secrets masked
  --dump-config=secrets  print it with secrets
  --healthcheck          ask the running server's health endpoint; status 0 if it is well, else 1
  --licenses             print the licences of ContainerSSH and of what is in it
  --version              print the version
  -h, --help             print this
`

const withValue = ['config', 'state', 'listen', 'backend'] as const
const quickstartFlags = ['state', 'listen', 'backend'] as const
const pair = (name: string, value: string | undefined) => (value === undefined ? [] : [[name, value] as const])
const switches = ['dump-config', 'check-config', 'licenses', 'healthcheck', 'version', 'help', 'h'] as const
const commands = ['check-config', 'migrate-config', 'hash-password', 'quickstart'] as const
type ValueFlag = (typeof withValue)[number]
type Switch = (typeof switches)[number]

interface Given {
  readonly values: Map<ValueFlag, string>
  readonly switches: Map<Switch, string>
  command: (typeof commands)[number] | undefined
}

const isOneOf = <T extends string>(known: readonly T[], word: string): word is T => known.includes(word as T)
const wrong = (message: string): Action => ({ kind: 'wrong', message })

/** Undefined: not a value that a switch can have. */
const isOn = (name: Switch, value: string | undefined): boolean | undefined => {
  if (value === undefined || (name === 'dump-config' && value === 'secrets')) return true
  if (['true', 't', 'T', 'TRUE', 'True', '1'].includes(value)) return true
  return ['false', 'f', 'F', 'FALSE', 'False', '0'].includes(value) ? false : undefined
}

/** What is wrong with the arguments; undefined if nothing is. */
const collect = (argv: readonly string[], given: Given): string | undefined => {
  const rest = [...argv]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const flag = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word)
    if (flag === null) {
      if (given.command === undefined && isOneOf(commands, word)) given.command = word
      else return `unknown command: ${word}`
      continue
    }
    const [, name = '', value] = flag
    if (isOneOf(withValue, name)) {
      const text = value ?? rest.shift()
      if (text === undefined || text === '') return `flag needs a value: --${name}`
      given.values.set(name, text)
    } else if (isOneOf(switches, name)) {
      const on = isOn(name, value)
      if (on === undefined) return `flag --${name} cannot be ${JSON.stringify(value)}`
      if (on) given.switches.set(name, value ?? 'true')
    } else {
      const meant = nearest(name, [...withValue, ...switches])
      return `unknown flag: --${name}${meant === undefined ? '' : `; did you mean --${meant}?`}`
    }
  }
  return undefined
}

/** If several actions are given: help, version, dump, check, licences, health check. `argv` without node and script. */
export const parseArguments = (argv: readonly string[]): Action => {
  if (argv[0] === 'audit') return parseAuditArguments(argv.slice(1))
  if (argv[0] === 'ctl') return parseCtlArguments(argv.slice(1))
  if (argv[0] === 'webhook-server') return parseWebhookServerArguments(argv.slice(1))
  const given: Given = { values: new Map(), switches: new Map(), command: undefined }
  const problem = collect(argv, given)
  if (problem !== undefined) return wrong(problem)
  const { values, command } = given
  const config = values.get('config') ?? 'config.yaml'
  if (given.switches.has('help') || given.switches.has('h')) return { kind: 'help' }
  if (given.switches.has('version')) return { kind: 'version' }
  const dump = given.switches.get('dump-config')
  if (dump !== undefined) return { kind: 'dump-config', config, showSecrets: dump === 'secrets' }
  if (given.switches.has('check-config')) return { kind: 'check-config', config }
  if (given.switches.has('licenses')) return { kind: 'licenses' }
  if (given.switches.has('healthcheck')) return { kind: 'health-check', config }
  if (command === 'quickstart') {
    if (values.has('config')) return wrong('quickstart makes its own configuration; to run yours, leave the word out')
    const backend = values.get('backend')
    if (backend !== undefined && !['docker', 'sandbox'].includes(backend)) {
      return wrong(`--backend ${backend}: expected docker or sandbox`)
    }
    return { kind: command, ...Object.fromEntries(quickstartFlags.flatMap((name) => pair(name, values.get(name)))) }
  }
  if (quickstartFlags.some((name) => values.has(name))) {
    return wrong('--state, --listen and --backend belong to quickstart')
  }
  if (command === 'hash-password') return { kind: command }
  return { kind: command ?? 'serve', config }
}
