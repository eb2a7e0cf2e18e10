/** What a `security` section means: per kind of request one block, with its mode resolved and its lists made ready. */
import type { SecurityConfig } from '../../../shared/config/index.ts'
import type { Endpoint } from '../../../shared/endpoint-rule.ts'
import { endpoints, type List, paths, texts } from './lists.ts'

type Mode = 'enable' | 'filter' | 'disable'
/** A mode and the option that it comes from: `security.tty.mode=disable`. */
interface Setting {
  readonly mode: Mode
  readonly rule: string
}
export interface Block<T> extends Setting {
  readonly lists?: Lists<T>
}
interface Lists<T> {
  readonly allow: List<T>
  readonly allowName: string
  readonly deny: List<T>
  readonly denyName: string
}
export interface Policy {
  readonly env: Block<string>
  readonly command: Block<string>
  readonly shell: Block<never>
  readonly subsystem: Block<string>
  readonly tty: Block<never>
  readonly signal: Block<string>
  readonly dialTcp: Block<Endpoint>
  readonly dialUnix: Block<string>
  readonly listenTcp: Block<Endpoint>
  readonly listenUnix: Block<string>
  readonly x11: Block<never>
  readonly agent: Block<never>
  readonly forceCommand: string | undefined
  readonly maxSessions: number
  readonly maxRefusals: number
  /** Nothing of this kind can be refused, so nobody needs to look. */
  readonly free: { readonly channels: boolean; readonly dial: boolean; readonly listen: boolean }
}

/** The rule that refuses the value; undefined: it may pass. */
export function ruling<T>({ mode, rule, lists }: Block<T>, value: T): string | undefined {
  if (mode !== 'enable' && mode !== 'filter') return rule
  if (mode === 'filter') {
    if (lists === undefined) return rule
    if (lists.allow(value) === undefined) return lists.allowName
  }
  const place = lists?.deny(value)
  return place === undefined ? undefined : `${lists?.denyName}${place}`
}

/** Of a block without lists. */
export const closedBy = ({ mode, rule }: Block<never>): string | undefined => (mode === 'enable' ? undefined : rule)

const policies = new WeakMap<SecurityConfig, Policy>()
/** Made once per section, which all connections share that have no configuration of their own. */
export function policyOf(section: SecurityConfig): Policy {
  const known = policies.get(section)
  if (known !== undefined) return known
  const policy = compile(section)
  policies.set(section, policy)
  return policy
}

/** Values that the types forbid close: a section may come from elsewhere than from a checked file. */
const strictness = (mode: string): number => ['enable', 'filter'].indexOf(mode) + 1 || 3
const setting = (option: string, mode: string): Setting => ({
  mode: mode === 'enable' || mode === 'filter' ? mode : 'disable',
  rule: `security.${option}=${mode}`,
})

function compile(section: SecurityConfig): Policy {
  const { defaultMode, env, command, shell, subsystem, tty, signal, maxSessions, maxRefusals } = section
  const preset = setting('defaultMode', defaultMode === '' ? 'enable' : defaultMode)
  const own = (name: string, { mode }: { readonly mode: string }): Setting =>
    mode === '' ? preset : setting(`${name}.mode`, mode)
  const named = (name: string, block: typeof env): Block<string> => ({
    ...own(name, block),
    lists: {
      allow: texts(block.allow, 'allow'),
      allowName: `security.${name}.allow`,
      deny: texts(block.deny, 'deny'),
      denyName: `security.${name}.deny`,
    },
  })
  const blocks = {
    env: named('env', env),
    command: named('command', command),
    shell: own('shell', shell),
    subsystem: named('subsystem', subsystem),
    tty: own('tty', tty),
    signal: named('signal', signal),
    ...compileForwarding(section, preset),
  }
  const forceCommand = section.forceCommand === '' ? undefined : section.forceCommand
  return { ...blocks, forceCommand, maxSessions, maxRefusals, free: freedom(section, blocks) }
}

function compileForwarding({ forwarding }: SecurityConfig, preset: Setting) {
  type Key = keyof typeof forwarding & `${string}Mode`
  const mode = (key: Key): Setting =>
    strictness(preset.mode) > strictness(forwarding[key]) ? preset : setting(`forwarding.${key}`, forwarding[key])
  type Subject = 'forwarding' | 'reverseForwarding' | 'socketForwarding' | 'socketListen'
  const names = (subject: Subject) =>
    ({
      allowName: `security.forwarding.${subject}Allow`,
      denyName: `security.forwarding.${subject}Deny`,
    }) as const
  const tcp = (subject: 'forwarding' | 'reverseForwarding'): Block<Endpoint> => ({
    ...mode(`${subject}Mode`),
    lists: {
      ...names(subject),
      allow: endpoints(forwarding[`${subject}Allow`], 'allow'),
      deny: endpoints(forwarding[`${subject}Deny`], 'deny'),
    },
  })
  const unix = (subject: 'socketForwarding' | 'socketListen'): Block<string> => ({
    ...mode(`${subject}Mode`),
    lists: {
      ...names(subject),
      allow: paths(forwarding[`${subject}Allow`], 'allow'),
      deny: paths(forwarding[`${subject}Deny`], 'deny'),
    },
  })
  return {
    dialTcp: tcp('forwarding'),
    dialUnix: unix('socketForwarding'),
    listenTcp: tcp('reverseForwarding'),
    listenUnix: unix('socketListen'),
    x11: mode('x11ForwardingMode'),
    agent: mode('agentForwardingMode'),
  }
}

type Blocks = Omit<Policy, 'forceCommand' | 'maxSessions' | 'maxRefusals' | 'free'>

function freedom(section: SecurityConfig, blocks: Blocks): Policy['free'] {
  const { env, command, subsystem, signal, forwarding } = section
  const denied = [env.deny, command.deny, subsystem.deny, signal.deny].some((list) => list.length > 0)
  const { shell, tty, x11, agent } = blocks
  const open = (...these: readonly Setting[]): boolean => these.every(({ mode }) => mode === 'enable')
  return {
    channels:
      section.forceCommand === '' &&
      section.maxSessions < 0 &&
      !denied &&
      open(blocks.env, blocks.command, blocks.subsystem, blocks.signal, shell, tty, x11, agent),
    dial:
      open(blocks.dialTcp, blocks.dialUnix) &&
      forwarding.forwardingDeny.length + forwarding.socketForwardingDeny.length === 0,
    listen:
      open(blocks.listenTcp, blocks.listenUnix) &&
      forwarding.reverseForwardingDeny.length + forwarding.socketListenDeny.length === 0,
  }
}
