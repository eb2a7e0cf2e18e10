/** The innermost `Connection`: knows no way to log in, and opens the room for whoever a layer let in. */
import { fault } from '../../shared/codes/fault.ts'
import { enterRoom } from '../backends/session.ts'
import type { Backend, Connection, Peer } from '../ports.ts'

export const core = (backend: Backend, peer: Peer): Connection => ({
  methods: [],
  async authenticate(username, { method }) {
    const why = fault('AUTH_DISABLED', { method, username })
    // Everybody begins with `none`.
    if (method !== 'none') peer.log.with({ module: 'auth' }).fault(why)
    return { outcome: 'unavailable', fault: why }
  },
  enter: (member, signal) => enterRoom(backend, { peer, member }, signal),
  // The session is disposed by whoever entered; a connection without one owns nothing.
  [Symbol.asyncDispose]: async () => undefined,
})
