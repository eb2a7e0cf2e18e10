/** `permitopen` and `permitlisten` of an authorized key: sshd(8), AUTHORIZED_KEYS FILE FORMAT. */
import { wildcard } from '../../shared/address-list.ts'
import { fault } from '../../shared/codes/fault.ts'
import type { Place } from '../../shared/key-options.ts'
import type { Door, Restrictions, Session, Target } from '../ports.ts'

/** The session, with nothing dialled and nothing listened on beside what the lists name. */
export function permitted(session: Session, { permitOpen, permitListen }: Restrictions): Session {
  if (permitOpen === undefined && permitListen === undefined) return session
  return {
    ...session,
    async dial(target, origin, signal) {
      if (permitOpen === undefined || mayOpen(permitOpen, target)) return session.dial(target, origin, signal)
      const labels = { target: nameOf(target), rule: 'permitopen' }
      return { accepted: false, fault: fault('SECURITY_FORWARDING_REJECTED', labels) }
    },
    async listen(door, arrive, signal) {
      if (permitListen === undefined || mayListen(permitListen, door)) return session.listen(door, arrive, signal)
      const labels = { target: nameOf(door), rule: 'permitlisten' }
      return { accepted: false, fault: fault('SECURITY_REVERSE_FORWARDING_REJECTED', labels) }
    },
  }
}

/** Names are compared as they are written: nothing is looked up. A list of TCP places holds no socket's path. */
const mayOpen = (places: readonly Place[], target: Target): boolean =>
  target.kind === 'tcp' &&
  places.some(({ host, port }) => (host === '*' || host === target.host) && (port ?? target.port) === target.port)

/** X11 and the agent have options of their own. */
const mayListen = (places: readonly Place[], door: Door): boolean => {
  if (door.kind !== 'tcp') return door.kind !== 'unix'
  const host = door.host.toLowerCase()
  return places.some(
    (place) => wildcard(place.host.toLowerCase()).test(host) && (place.port ?? door.port) === door.port,
  )
}

const nameOf = (place: Target | Door): string => {
  if (place.kind === 'tcp') return `${place.host}:${place.port}`
  return place.kind === 'unix' ? place.path : place.kind
}
