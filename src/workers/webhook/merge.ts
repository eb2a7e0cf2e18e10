/** What is known about a user, put together from several answers: equal names are overwritten, the rest is kept. */
import type { Place } from '../../shared/key-options.ts'
import type { Member, Restrictions } from '../ports.ts'

type Addition = Pick<Member, 'authenticatedUsername' | 'metadata' | 'environment' | 'files' | 'restrictions'>

const mergeMaps = <V>(old: ReadonlyMap<string, V>, more: ReadonlyMap<string, V>): ReadonlyMap<string, V> => {
  if (more.size === 0) return old
  return old.size === 0 ? more : new Map([...old, ...more])
}

/** Whatever one of them forbids is forbidden. */
const narrower = (a: Restrictions | undefined, b: Restrictions | undefined): Restrictions | undefined => {
  if (a === undefined || b === undefined) return a ?? b
  const forceCommand = a.forceCommand ?? b.forceCommand
  const permitOpen = common(a.permitOpen, b.permitOpen)
  const permitListen = common(a.permitListen, b.permitListen)
  return {
    ...(forceCommand !== undefined && { forceCommand }),
    pty: a.pty && b.pty,
    portForwarding: a.portForwarding && b.portForwarding,
    agentForwarding: a.agentForwarding && b.agentForwarding,
    x11Forwarding: a.x11Forwarding && b.x11Forwarding,
    ...(permitOpen && { permitOpen }),
    ...(permitListen && { permitListen }),
  }
}

/** Places that stand in both lists, where there are two. */
const common = (a: readonly Place[] | undefined, b: readonly Place[] | undefined): readonly Place[] | undefined =>
  a && b ? a.filter((place) => b.some(({ host, port }) => host === place.host && port === place.port)) : (a ?? b)

/** An empty name, or one that only repeats what the client said, does not replace one that somebody vouched for. */
export function mergeMember(member: Member, more: Addition): Member {
  const { authenticatedUsername: name } = more
  const restrictions = narrower(member.restrictions, more.restrictions)
  return {
    username: member.username,
    authenticatedUsername: name === '' || name === member.username ? member.authenticatedUsername : name,
    metadata: mergeMaps(member.metadata, more.metadata),
    environment: mergeMaps(member.environment, more.environment),
    files: mergeMaps(member.files, more.files),
    ...(restrictions !== undefined && { restrictions }),
  }
}
