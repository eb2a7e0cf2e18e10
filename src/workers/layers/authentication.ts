/**
 * Lets the users of `auth.users` in. They are decided about here alone; others, and methods that no such user has, are
 * left to the layers inside.
 */
import { fault } from '../../shared/codes/fault.ts'
import type { Log } from '../../shared/log.ts'
import type { Attempt, AuthVerdict, Connection, Layer, Member, Peer } from '../ports.ts'
import type { Users } from './users.ts'

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
      methods: [...new Set([...users.methods, ...inner.methods])],
      authenticate(user, attempt, signal) {
        if (!isOurs(user, attempt)) return inner.authenticate(user, attempt, signal)
        return decide(users, user, attempt, peer.log, signal)
      },
    }
  }

async function decide(
  users: Users,
  username: string,
  attempt: Attempt,
  log: Log,
  signal: AbortSignal,
): Promise<AuthVerdict> {
  const authtype = attempt.method === 'publickey' ? 'pubkey' : attempt.method
  const own = log.with({ module: 'auth' })
  const verdict = await check(users, username, attempt, signal)
  if (verdict === 'busy') {
    const why = fault('AUTH_BUSY', { username })
    own.fault(why)
    return { outcome: 'unavailable', fault: why }
  }
  if (verdict === 'mismatch') {
    const why = fault('AUTH_FAILED', { username, authtype })
    own.fault(why)
    return { outcome: 'failure', fault: why }
  }
  // A key that would do proves nothing yet.
  if (attempt.method !== 'publickey' || attempt.signed) own.emit('AUTH_SUCCESSFUL', { username, authtype })
  return { outcome: 'success', member: memberOf(username) }
}

async function check(users: Users, user: string, attempt: Attempt, signal: AbortSignal) {
  switch (attempt.method) {
    case 'password':
      return users.credentials.verify(user, attempt.password, signal)
    case 'publickey':
      return users.owns(user, attempt.blob) ? 'match' : 'mismatch'
    case 'none':
    case 'keyboard-interactive':
      return 'mismatch'
    default:
      attempt satisfies never
      throw new Error('unreachable: an attempt of an unknown method')
  }
}

const nothing = new Map<string, never>()
const memberOf = (username: string): Member => ({
  username,
  authenticatedUsername: username,
  metadata: nothing,
  environment: nothing,
  files: nothing,
})
