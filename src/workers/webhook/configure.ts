/** Asks the configuration webhook what an authenticated user has of his own. */
import { type Fault, fault } from '../../shared/codes/fault.ts'
import type { Config } from '../../shared/config/index.ts'
import type { UserConfigs } from '../../shared/config/user/index.ts'
import type { Log } from '../../shared/log.ts'
import { count, retryOf } from '../../shared/metric.ts'
import { type Configuration, decodeConfiguration } from '../../shared/webhook/answers.ts'
import type { Member, Peer, Verdict } from '../ports.ts'
import type { HttpClient, Reply } from './client.ts'
import { mergeMember } from './merge.ts'
import { configurationRequest } from './protocol.ts'
import { clientReason, type Missing, persist } from './tries.ts'

export interface ConfigServer {
  readonly client: HttpClient
  readonly settings: Config['configserver']
  readonly configs: UserConfigs
}

/** The member with settings, and with what the answer adds. The record of a refusal has been written. */
export async function configure(
  server: ConfigServer,
  peer: Peer,
  member: Member,
  signal: AbortSignal,
): Promise<Verdict<Member>> {
  const log = peer.log.with({ module: 'backend', username: member.username })
  const answer = await ask(server, peer, member, log, signal)
  if (!answer.accepted) return answer
  const { config, ...addition } = answer.value
  const found = server.configs.settingsFor(config, (warning) => log.fault(warning))
  if ('problems' in found) {
    const { option } = found
    return refused(log, fault('BACKEND_CONFIG_ERROR', { option }, { cause: found.problems.join('; ') }))
  }
  return { accepted: true, value: { ...mergeMember(member, addition), settings: found.settings } }
}

const refused = (log: Log, why: Fault): Verdict<never> => {
  log.fault(why)
  return { accepted: false, fault: why }
}

async function ask(
  { client, settings }: ConfigServer,
  peer: Peer,
  member: Member,
  log: Log,
  signal: AbortSignal,
): Promise<Verdict<Configuration>> {
  const body = configurationRequest(peer, member, settings.transmitSensitiveMetadata, settings.legacyFields)
  const outcome = await persist({
    webhook: 'configuration',
    totalMs: settings.configTimeout,
    signal,
    async once(attempt, limitMs) {
      log.emit('CONFIG_REQUEST', { attempt })
      count('containerssh_config_server_requests_total', { retry: retryOf(attempt) })
      const reply = await client.post({ path: '', body, decode: decodeConfiguration, log, signal, limitMs })
      if (reply.kind === 'answer') log.emit('CONFIG_RESPONSE', { attempt, ...ignoredOf(reply.value) })
      return settings.retryRefusals ? insisting(reply) : reply
    },
    again(missing, attempt) {
      const cause = told(log, missing, attempt)
      log.emit('CONFIG_BACKEND_ERROR', { reason: cause.code, attempt }, { level: 'debug', cause })
    },
  })
  if (outcome.kind === 'answer') return { accepted: true, value: outcome.value }
  const { missing, attempts: attempt } = outcome
  const cause = told(log, missing, attempt)
  if (!signal.aborted) failed('hard', missing, attempt)
  // The client has gone: nobody's fault, and nobody waits for an answer.
  const level = signal.aborted ? 'debug' : 'error'
  return refused(log, fault('CONFIG_BACKEND_ERROR', { reason: cause.code, attempt }, { level, cause }))
}

const ignoredOf = ({ ignored }: Configuration) => (ignored.length === 0 ? {} : { ignored: ignored.join(', ') })

/** What will be refused again may all the same be the trouble of a moment: a server that is being replaced, say. */
function insisting<T>(reply: Reply<T>): Reply<T> {
  if (reply.kind === 'answer' || reply.again !== 'no') return reply
  if (reply.kind === 'failure' && reply.fault.code === 'HTTP_CLIENT_ENCODE_FAILED') return reply
  return { ...reply, again: 'yes' }
}

/** Tells why there was no answer. */
function told(log: Log, missing: Missing, attempt: number): Fault {
  const why =
    missing.kind === 'failure'
      ? missing.fault
      : fault('CONFIG_INVALID_STATUS_CODE', { statusCode: missing.status, attempt })
  log.fault(why, 'debug')
  failed('soft', missing, attempt)
  return why
}

const failed = (type: 'soft' | 'hard', missing: Missing, attempt: number): void =>
  count('containerssh_config_server_failures_total', { type, retry: retryOf(attempt), reason: reasonOf(missing) })

const reasonOf = (missing: Missing) =>
  missing.kind === 'status' ? 'CONFIG_INVALID_STATUS_CODE' : clientReason(missing.fault)
