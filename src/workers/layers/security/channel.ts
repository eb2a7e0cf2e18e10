/** One session channel behind the rules, and the command that may run in place of what the client asked for. */
import { fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { Channel, ChannelId, Stdio, Verdict } from '../../ports.ts'
import { type Forced, forcedBy, originalCommand, type Rules, refusalOf, type Start, shown } from './decide.ts'
import { logOf, type Refusals, refuse } from './refusals.ts'

export function guardChannel(rules: Rules, refusals: Refusals, id: ChannelId, inner: Channel): Channel {
  const forced = forcedBy(rules)
  return {
    ...inner,
    async request(request, stdio) {
      const refusal = refusalOf(rules, request)
      if (refusal !== undefined) return refuse(refusals, refusal, id)
      if (forced === undefined) return inner.request(request, stdio)
      switch (request.kind) {
        case 'exec':
        case 'shell':
        case 'subsystem':
          return startForced(forced, logOf(refusals, id), inner, request, stdio)
        default:
          return inner.request(request, stdio)
      }
    },
  }
}

/** What the client asked for, for the variable: nothing for a shell. */
const originalOf = (request: Start): string =>
  request.kind === 'exec' ? request.command : request.kind === 'subsystem' ? request.name : ''

async function startForced(
  { command, rule }: Forced,
  log: Log,
  inner: Channel,
  request: Start,
  stdio: Stdio,
): Promise<Verdict> {
  const original = originalOf(request)
  const set = await inner.request({ kind: 'env', name: originalCommand, value: original }, stdio)
  if (!set.accepted) {
    const why = fault('SECURITY_EXEC_FAILED_SETENV', {}, { cause: set.fault })
    log.fault(why)
    return { accepted: false, fault: why }
  }
  log.emit('SECURITY_EXEC_FORCING_COMMAND', {
    request: request.kind,
    command: shown(original),
    forcedCommand: shown(command),
    rule,
  })
  return inner.request({ kind: 'exec', command }, stdio)
}
