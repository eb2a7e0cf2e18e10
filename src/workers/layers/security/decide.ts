/** Which requests are refused, and why: pure functions of the policy, of what the user's credential allows, and the request. */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import { placeName } from '../../place.ts'
import type { ChannelRequest, Door, Restrictions, Target } from '../../ports.ts'
import { mayListen, mayOpen } from './permits.ts'
import { closedBy, type Policy, ruling } from './policy.ts'

/** The variable in which a forced command finds what the client asked for (sshd has the same). */
export const originalCommand = 'SSH_ORIGINAL_COMMAND'

export interface Rules {
  readonly policy: Policy
  /** Of the certificate or the key that the user logged in with. */
  readonly restrictions: Restrictions | undefined
}
/** What runs in place of every program. */
export interface Forced {
  readonly command: string
  readonly rule: string
}

/** The one of the credential wins: who signed it has seen the user. */
export function forcedBy({ policy, restrictions }: Rules): Forced | undefined {
  const { forceCommand } = restrictions ?? {}
  if (forceCommand !== undefined) return { command: forceCommand, rule: 'credential force-command' }
  return policy.forceCommand === undefined ? undefined : { command: policy.forceCommand, rule: 'security.forceCommand' }
}

/** Longest value in a record, in UTF-16 units. */
const longestShown = 1024
export const shown = (value: string): string =>
  value.length > longestShown ? `${value.slice(0, longestShown)}…` : value

/** Undefined: the backend decides. The rules apply to what the client asked for, whatever may be run in its place. */
export function refusalOf(rules: Rules, request: ChannelRequest): Fault | undefined {
  const { policy, restrictions } = rules
  switch (request.kind) {
    case 'env': {
      // Whoever runs in the client's place could not tell ours from the client's.
      const forced = request.name === originalCommand ? forcedBy(rules)?.rule : undefined
      const rule = forced ?? ruling(policy.env, request.name)
      return rule === undefined ? undefined : fault('SECURITY_ENV_REJECTED', { name: shown(request.name), rule })
    }
    case 'pty-req': {
      const rule = restrictions?.pty === false ? 'credential no-pty' : closedBy(policy.tty)
      return rule === undefined ? undefined : fault('SECURITY_TTY_REJECTED', { rule })
    }
    case 'exec':
    case 'shell':
    case 'subsystem':
      return startRefusal(rules, request)
    case 'signal': {
      if (request.ours) return undefined
      const rule = ruling(policy.signal, request.name)
      return rule === undefined ? undefined : fault('SECURITY_SIGNAL_REJECTED', { signal: shown(request.name), rule })
    }
    case 'x11-req':
      return doorRefusal(rules, { kind: 'x11', x11: request.x11 })
    case 'auth-agent-req@openssh.com':
      return doorRefusal(rules, { kind: 'agent' })
    case 'window-change':
    case 'unknown':
      return undefined
    default:
      request satisfies never
      throw new Error('unreachable: a channel request of an unknown kind')
  }
}

export type Start = Extract<ChannelRequest, { kind: 'exec' | 'shell' | 'subsystem' }>

function startRefusal(rules: Rules, request: Start): Fault | undefined {
  const { policy } = rules
  const forced = forcedBy(rules)
  // An empty command would become a shell, wider than what was to be forced.
  const empty = forced?.command.trim() === '' ? `${forced.rule} is empty` : undefined
  if (request.kind === 'subsystem') {
    const rule = ruling(policy.subsystem, request.name) ?? empty
    return rule === undefined
      ? undefined
      : fault('SECURITY_SUBSYSTEM_REJECTED', { subsystem: shown(request.name), rule })
  }
  if (request.kind === 'exec') {
    const rule = ruling(policy.command, request.command) ?? empty
    if (rule !== undefined) return fault('SECURITY_EXEC_REJECTED', { command: shown(request.command), rule })
    // A blank command starts a shell, so it must pass both doors.
    if (request.command.trim() !== '') return undefined
  }
  const rule = closedBy(policy.shell) ?? empty
  return rule === undefined ? undefined : fault('SECURITY_SHELL_REJECTED', { rule })
}

const forwardingRule = (restrictions: Restrictions | undefined): string | undefined =>
  restrictions?.portForwarding === false ? 'credential no-port-forwarding' : undefined

/** direct-tcpip and direct-streamlocal@openssh.com. */
export function dialRefusal({ policy, restrictions }: Rules, target: Target): Fault | undefined {
  const listed = target.kind === 'tcp' ? ruling(policy.dialTcp, target) : ruling(policy.dialUnix, target.path)
  const isPermitted = mayOpen(restrictions?.permitOpen, target)
  const rule = forwardingRule(restrictions) ?? (isPermitted ? listed : 'credential permitopen')
  return rule === undefined
    ? undefined
    : fault('SECURITY_FORWARDING_REJECTED', { target: shown(placeName(target)), rule })
}

/** tcpip-forward, streamlocal-forward@openssh.com, x11-req, auth-agent-req@openssh.com. */
export function doorRefusal({ policy, restrictions }: Rules, door: Door): Fault | undefined {
  switch (door.kind) {
    case 'tcp':
    case 'unix': {
      const listed = door.kind === 'tcp' ? ruling(policy.listenTcp, door) : ruling(policy.listenUnix, door.path)
      const isPermitted = mayListen(restrictions?.permitListen, door)
      const rule = forwardingRule(restrictions) ?? (isPermitted ? listed : 'credential permitlisten')
      return rule === undefined
        ? undefined
        : fault('SECURITY_REVERSE_FORWARDING_REJECTED', { target: shown(placeName(door)), rule })
    }
    case 'x11': {
      const rule = restrictions?.x11Forwarding === false ? 'credential no-X11-forwarding' : closedBy(policy.x11)
      return rule === undefined ? undefined : fault('SECURITY_X11_FORWARDING_REJECTED', { rule })
    }
    case 'agent': {
      const rule = restrictions?.agentForwarding === false ? 'credential no-agent-forwarding' : closedBy(policy.agent)
      return rule === undefined ? undefined : fault('SECURITY_AGENT_FORWARDING_REJECTED', { rule })
    }
    default:
      door satisfies never
      throw new Error('unreachable: a door of an unknown kind')
  }
}
