/**
 * Who is in a shared pod, by its annotations: `containerssh_member_` and the name of the connection, with the owner as
 * value and whether that holds a lease; `containerssh_lingering_` keeps the pod for whoever comes back.
 */
import type { Identity } from '../../../shared/identity.ts'
import type { Pod } from './api.ts'
import type { Leases } from './lease.ts'

type Kind = 'member' | 'lingering'

export interface Residents {
  /** The annotation of one of ours, from now on. */
  come(namespace: string, kind: Kind, connectionId: string): Promise<readonly [name: string, value: string]>
  /** The annotation's name: it is ours no longer, wherever it still stands. */
  go(kind: Kind, connectionId: string): string
  /** Annotations of those whose owners live, and of the others. */
  of(pod: Pod): { readonly alive: readonly string[]; readonly dead: readonly string[] }
  /** Connections that are in it. */
  members(pod: Pod): number
}

const prefixes = { member: 'containerssh_member_', lingering: 'containerssh_lingering_' } as const
const leased = ' leased'

/** What this process made and has not dropped: any other with its label is a drop that failed. */
const mine = new Set<string>()

export function createResidents({ owner }: Identity, leases: Leases): Residents {
  const isAlive = (namespace: string, name: string, value: string): boolean => {
    const isLeased = value.endsWith(leased)
    const who = isLeased ? value.slice(0, -leased.length) : value
    return who === owner ? mine.has(name) : !leases.isDead(namespace, who, isLeased)
  }
  const of: Residents['of'] = ({ metadata: { namespace, annotations = {} } }) => {
    const all = Object.keys(annotations).filter((name) =>
      Object.values(prefixes).some((prefix) => name.startsWith(prefix)),
    )
    const alive = new Set(all.filter((name) => isAlive(namespace, name, annotations[name] ?? '')))
    return { alive: [...alive], dead: all.filter((name) => !alive.has(name)) }
  }
  return {
    async come(namespace, kind, connectionId) {
      const name = prefixes[kind] + connectionId
      mine.add(name)
      return [name, owner + ((await leases.hold(namespace)) ? leased : '')]
    },
    go(kind, connectionId) {
      const name = prefixes[kind] + connectionId
      mine.delete(name)
      return name
    },
    of,
    members: (pod) => of(pod).alive.filter((name) => name.startsWith(prefixes.member)).length,
  }
}
