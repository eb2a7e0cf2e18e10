/** Asks the authorization webhook about everybody whom the layers inside have let in. */
import type { Connection, Layer, Peer } from '../ports.ts'
import { type Authorizer, authorize } from '../webhook/authorize.ts'

export const authorization =
  (authz: Authorizer, peer: Peer): Layer<Connection> =>
  (inner) => ({
    ...inner,
    async authenticate(username, attempt, signal) {
      const verdict = await inner.authenticate(username, attempt, signal)
      // A key that would do proves nothing yet, and nobody is to learn by asking who may come in.
      const isQuery = attempt.method === 'publickey' && !attempt.signed
      if (verdict.outcome !== 'success' || isQuery) return verdict
      return authorize(authz, peer, verdict.member, signal)
    },
  })
