/** The innermost `Connection`: knows no way to log in, and opens the room for whoever a layer let in. */
import { asFault, fault } from '../../shared/codes/fault.ts'
import { enterRoom } from '../backends/session.ts'
import type { AuthVerdict, Backend, Connection, Member, Peer } from '../ports.ts'
import { peerOf } from './configuration.ts'

/** Which room the user is to have. @throws Fault when it cannot be made */
export type RoomOf = (member: Member) => Backend | Promise<Backend>

/** Everybody begins with `none`, to learn the methods: nothing about it is logged, and it names nobody. */
const none: AuthVerdict = { outcome: 'unavailable', fault: fault('AUTH_DISABLED', { method: 'none' }) }
/** The session is disposed by whoever entered; a connection without one owns nothing. */
const ownsNothing: AsyncDisposable = { [Symbol.asyncDispose]: async () => undefined }

export const core = (roomOf: RoomOf, peer: Peer): Connection => ({
  ...ownsNothing,
  methods: [],
  async authenticate(username, { method }) {
    if (method === 'none') return none
    const why = fault('AUTH_DISABLED', { method, username })
    peer.log.with({ module: 'auth' }).fault(why)
    return { outcome: 'unavailable', fault: why }
  },
  async enter(member, signal) {
    const own = peerOf(peer, member.settings)
    let room: Backend
    try {
      room = await roomOf(member)
    } catch (error) {
      const why = asFault(error)
      own.log.with({ module: 'backend', username: member.username }).fault(why)
      return { accepted: false, fault: why }
    }
    return enterRoom(room, { peer: own, member }, signal)
  },
})
