/**
 * Lets the users of `auth.users` in, and whom a CA of `auth.userCAs` certified. They are decided about here alone;
 * others, and methods that no such user has, are left to the layers inside. Certificates and revoked keys never are.
 */
import { type Fault, fault } from '../../shared/codes/fault.ts'
import { type KeyOptions, noOptions } from '../../shared/key-options.ts'
import { count, retryOf } from '../../shared/metric.ts'
import type { Metadatum } from '../../shared/webhook/data.ts'
import type { Attempt, AuthVerdict, Connection, Layer, Member, Peer } from '../ports.ts'
import { describeCertificate } from './certificates.ts'
import { restrictionsOf } from './key-verdict.ts'
import type { Users } from './users.ts'

type Decision =
  | { readonly options: KeyOptions }
  | { readonly outcome: 'failure' | 'unavailable'; readonly fault: Fault }

/** `chained`: keyboard-interactive can be a second factor of these users too, asked for by the layers inside. */
export const authentication =
  (users: Users, peer: Peer, chained = false): Layer<Connection> =>
  (inner) => {
    const isOurs = (user: string, { method }: Attempt): boolean => {
      if (method === 'none' || (chained && method === 'keyboard-interactive')) return false
      // To ask somebody else about a user of ours would be a second way in.
      const isOffered = inner.methods.includes(method)
      return users.has(user)
        ? isOffered || users.methods.includes(method)
        : !isOffered && users.methods.includes(method)
    }
    return {
      ...inner,
      methods: inner.methods.length === 0 ? users.methods : [...new Set([...users.methods, ...inner.methods])],
      async authenticate(user, attempt, signal) {
        const decision = decideKey(users, user, attempt, peer)
        if (decision !== undefined) return conclude(user, attempt, decision, peer)
        if (!isOurs(user, attempt)) return inner.authenticate(user, attempt, signal)
        return conclude(user, attempt, await decide(users, user, attempt, signal), peer)
      },
    }
  }

/** Undefined: it is no key, or we know nothing about it. */
function decideKey(users: Users, username: string, attempt: Attempt, peer: Peer): Decision | undefined {
  if (attempt.method !== 'publickey') return undefined
  const verdict = users.decide(attempt, { username, address: peer.remoteAddress, nowMs: Date.now() })
  switch (verdict.kind) {
    case 'granted':
      return { options: verdict.options }
    case 'refused':
      return { outcome: 'failure', fault: verdict.fault }
    case 'unknown':
      return undefined
    default:
      verdict satisfies never
      throw new Error('unreachable: a verdict of an unknown kind')
  }
}

async function decide(users: Users, username: string, attempt: Attempt, signal: AbortSignal): Promise<Decision> {
  if (attempt.method === 'password') {
    const verdict = await users.credentials.verify(username, attempt.password, signal)
    if (verdict === 'busy') return { outcome: 'unavailable', fault: fault('AUTH_BUSY', { username }) }
    if (verdict === 'match') return { options: noOptions }
  }
  return { outcome: 'failure', fault: fault('AUTH_FAILED', { username, authtype: authtypeOf(attempt) }) }
}

function conclude(username: string, attempt: Attempt, decision: Decision, peer: Peer): AuthVerdict {
  const log = peer.log.with({ module: 'auth' })
  const authtype = authtypeOf(attempt)
  const tell = (name: 'containerssh_auth_success_total' | 'containerssh_auth_failures_total'): void => {
    // To begin with `none` is no attempt, and is not decided here.
    if (authtype !== 'none') count(name, { authtype, retry: retryOf(1), country: peer.country })
  }
  if ('fault' in decision) {
    log.fault(decision.fault)
    if (decision.outcome === 'failure') tell('containerssh_auth_failures_total')
    return decision
  }
  const member = memberOf(username, decision.options)
  // A key that would do proves nothing yet.
  if (attempt.method === 'publickey' && !attempt.signed) return { outcome: 'success', member }
  log.emit('AUTH_SUCCESSFUL', { username, authtype })
  tell('containerssh_auth_success_total')
  if (attempt.method === 'publickey' && attempt.certificate !== undefined) {
    log.emit('AUTH_CERTIFICATE_ACCEPTED', { username, ...describeCertificate(attempt.certificate) })
  }
  return { outcome: 'success', member }
}

const authtypeOf = ({ method }: Attempt) => (method === 'publickey' ? 'pubkey' : method)

const nothing = new Map<string, never>()

function memberOf(username: string, options: KeyOptions): Member {
  const restrictions = restrictionsOf(options)
  return {
    username,
    authenticatedUsername: username,
    metadata: nothing,
    environment: options.environment.size === 0 ? nothing : environmentOf(options),
    files: nothing,
    ...(restrictions && { restrictions }),
  }
}

const environmentOf = ({ environment }: KeyOptions): ReadonlyMap<string, Metadatum> =>
  new Map([...environment].map(([name, value]) => [name, { value, sensitive: false }]))
