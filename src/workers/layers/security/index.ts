/**
 * The innermost layer: what a logged-in user may ask of the room. Whatever it refuses the room never hears of, and the
 * layers outside see what the client asked for, not what is run in its place.
 */
import { fault } from '../../../shared/codes/fault.ts'
import type { SecurityConfig } from '../../../shared/config/index.ts'
import type { Arrive, Channel, ChannelId, Connection, Layer, Member, Peer, Session, Verdict } from '../../ports.ts'
import { peerOf } from '../configuration.ts'
import { guardChannel } from './channel.ts'
import { dialRefusal, doorRefusal, type Rules } from './decide.ts'
import { policyOf } from './policy.ts'
import { type Refusals, refusalsOf, refuse, summarize } from './refusals.ts'

export const security =
  (section: SecurityConfig, peer: Peer): Layer<Connection> =>
  (inner) => ({
    ...inner,
    async enter(member, signal) {
      const verdict = await inner.enter(member, signal)
      if (!verdict.accepted) return verdict
      const { settings } = member
      const own = settings?.security ?? section
      return { accepted: true, value: guardSession(own, peerOf(peer, settings), member, verdict.value) }
    },
  })

/** The session behind the rules of a section, which may be this user's own. */
export function guardSession(section: SecurityConfig, peer: Peer, member: Member, inner: Session): Session {
  const policy = policyOf(section)
  const { restrictions } = member
  const free = restrictions === undefined ? policy.free : undefined
  if (free?.channels && free.dial && free.listen) return inner
  const rules: Rules = { policy, restrictions }
  const refusals = refusalsOf(peer, member.username, policy.maxRefusals)
  return {
    ...inner,
    ...(free?.channels ? {} : { open: guardOpen(rules, refusals, inner) }),
    ...(free?.dial ? {} : { dial: guardDial(rules, refusals, inner) }),
    ...(free?.listen ? {} : { listen: guardListen(rules, refusals, inner) }),
    async [Symbol.asyncDispose]() {
      summarize(refusals)
      await inner[Symbol.asyncDispose]()
    },
  }
}

function guardOpen(rules: Rules, refusals: Refusals, inner: Session): Session['open'] {
  const { maxSessions } = rules.policy
  let open = 0
  const openGuarded = async (id: ChannelId, arrive: Arrive): Promise<Verdict<Channel>> => {
    const verdict = await inner.open(id, arrive)
    if (!verdict.accepted) return verdict
    return { accepted: true, value: guardChannel(rules, refusals, id, verdict.value) }
  }
  if (maxSessions < 0) return openGuarded
  return async (id, arrive) => {
    if (open >= maxSessions) {
      return refuse(refusals, fault('SECURITY_MAX_SESSIONS', { limit: maxSessions }))
    }
    open++
    const leave = once(() => void open--)
    try {
      const verdict = await openGuarded(id, arrive)
      if (verdict.accepted) return { accepted: true, value: leaving(verdict.value, leave) }
      leave()
      return verdict
    } catch (error) {
      leave()
      throw error
    }
  }
}

/** The place is free from the close on, not only when the room is done with the program. */
const leaving = (inner: Channel, leave: () => void): Channel => ({
  ...inner,
  async [Symbol.asyncDispose]() {
    leave()
    await inner[Symbol.asyncDispose]()
  },
})

function once(task: () => void): () => void {
  let done = false
  return () => {
    if (!done) task()
    done = true
  }
}

const guardDial =
  (rules: Rules, refusals: Refusals, inner: Session): Session['dial'] =>
  async (target, origin, signal) => {
    const refusal = dialRefusal(rules, target)
    return refusal === undefined ? inner.dial(target, origin, signal) : refuse(refusals, refusal)
  }

const guardListen =
  (rules: Rules, refusals: Refusals, inner: Session): Session['listen'] =>
  async (door, arrive, signal) => {
    const refusal = doorRefusal(rules, door)
    return refusal === undefined ? inner.listen(door, arrive, signal) : refuse(refusals, refusal)
  }
