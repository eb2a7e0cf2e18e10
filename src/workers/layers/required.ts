/**
 * `auth.required`: which methods a user must pass together, as OpenSSH's AuthenticationMethods. Each right step is a
 * partial success (RFC 4252 section 5.1); the last one of any chain lets the user in.
 */
import { fault } from '../../shared/codes/fault.ts'
import type { Config } from '../../shared/config/index.ts'
import type { Attempt, AuthVerdict, Connection, Layer, Member, Peer } from '../ports.ts'
import { mergeMember } from '../webhook/merge.ts'

type Chains = Config['auth']['required']

/** What one user of a connection has passed so far. */
interface Progress {
  readonly username: string
  /** What is still to be passed; none of them is empty. */
  readonly chains: Chains
  readonly member: Member | undefined
}

const nextOf = (chains: Chains): string[] => [...new Set(chains.map(([next = '']) => next))]

export const required =
  (chains: Chains, peer: Peer): Layer<Connection> =>
  (inner) => {
    const beginning = nextOf(chains)
    let progress: Progress | undefined

    const step = (now: Progress, method: string, passed: Member): AuthVerdict => {
      const member = now.member === undefined ? passed : mergeMember(now.member, passed)
      const left = now.chains.map((chain) => (chain[0] === method ? chain.slice(1) : chain))
      if (left.some((chain) => chain.length === 0)) {
        progress = undefined
        return { outcome: 'success', member }
      }
      progress = { username: now.username, chains: left, member }
      const methods = nextOf(left)
      const labels = { username: now.username, method, methods: methods.join(',') }
      peer.log.with({ module: 'auth' }).emit('AUTH_PARTIAL', labels)
      return { outcome: 'partial', methods }
    }
    return {
      ...inner,
      methods: inner.methods.filter((method) => beginning.includes(method)),
      async authenticate(username, attempt: Attempt, signal) {
        // RFC 4252 section 5: what one user has passed does not count for another.
        if (progress?.username !== username) progress = undefined
        const now = progress ?? { username, chains, member: undefined }
        const methods = nextOf(now.chains)
        const { method } = attempt
        if (method !== 'none' && !methods.includes(method)) {
          const why = fault('AUTH_FAILED', { username, authtype: method, reason: `expected ${methods.join(' or ')}` })
          peer.log.with({ module: 'auth' }).fault(why)
          return { outcome: 'failure', fault: why, methods }
        }
        const verdict = await inner.authenticate(username, attempt, signal)
        if ('fault' in verdict) return { ...verdict, methods }
        if (verdict.outcome === 'partial' || (attempt.method === 'publickey' && !attempt.signed)) return verdict
        return step(now, method, verdict.member)
      },
    }
  }
