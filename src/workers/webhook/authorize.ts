/** Asks the authorization webhook whether an authenticated user may come in. */
import { asFault, fault } from '../../shared/codes/fault.ts'
import type { Config } from '../../shared/config/index.ts'
import { count, retryOf } from '../../shared/metric.ts'
import { type Answer, decodeAnswer } from '../../shared/webhook/answers.ts'
import type { AuthVerdict, Member, Peer } from '../ports.ts'
import type { HttpClient } from './client.ts'
import { mergeMember } from './merge.ts'
import { authorizationRequest } from './protocol.ts'
import { type Answered, ask } from './question.ts'

export interface Authorizer {
  readonly client: HttpClient
  readonly settings: Config['auth']['authz']['webhook']
}

const authtype = 'authorization'

/** The member of a success has what the answer adds. No answer is a refusal like any other, as in the Go program. */
export async function authorize(
  { client, settings }: Authorizer,
  peer: Peer,
  member: Member,
  signal: AbortSignal,
): Promise<AuthVerdict> {
  const { username, authenticatedUsername } = member
  const labels = { username, url: client.endpoint, authtype, authenticatedUsername, providedUsername: username }
  const log = peer.log.with({ module: 'auth' })
  let answered: Answered<Answer>
  try {
    answered = await ask({
      client,
      totalMs: settings.authTimeout,
      path: '/authz',
      body: authorizationRequest(peer, member, settings.transmitSensitiveMetadata),
      decode: decodeAnswer,
      authtype,
      labels,
      log,
      signal,
    })
  } catch (error) {
    const why = asFault(error)
    log.fault(why)
    return { outcome: 'failure', fault: why }
  }
  const { value: answer, attempt } = answered
  const counted = { authtype, retry: retryOf(attempt), country: peer.country } as const
  if (!answer.success) {
    const why = fault('AUTH_FAILED', { username, url: client.endpoint, authtype })
    log.fault(why)
    count('containerssh_auth_failures_total', counted)
    return { outcome: 'failure', fault: why }
  }
  log.emit('AUTH_SUCCESSFUL', { username, url: client.endpoint, authtype, authenticatedUsername })
  count('containerssh_auth_success_total', counted)
  return { outcome: 'success', member: mergeMember(member, answer) }
}
