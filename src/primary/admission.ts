/**
 * May this source start another handshake? Decided on the address alone, before any cryptography. No input, no output:
 * only numbers.
 */

/** At most; 0 means no limit. Keys of the section `ssh`. */
export interface AdmissionLimits {
  readonly maxConnections: number
  readonly maxConnectionsPerSource: number
  /** Connections that have not logged in yet. */
  readonly maxStartups: number
  readonly maxStartupsPerSource: number
}

export type Decision =
  | { readonly admitted: true; readonly ticket: number }
  | { readonly admitted: false; readonly reason: string }

export interface Admission {
  admit(address: string): Decision
  /** The connection has logged in. Unknown and repeated tickets are ignored, here and in `closed`. */
  authenticated(ticket: number): void
  closed(ticket: number): void
  readonly connections: number
  readonly startups: number
  /** Sources that have a connection: what the memory of this module grows with. */
  readonly sources: number
}

interface Source {
  readonly name: string
  connections: number
  startups: number
}
interface Ticket {
  readonly source: Source
  authenticated: boolean
}

export function createAdmission(limits: AdmissionLimits): Admission {
  const sources = new Map<string, Source>()
  const tickets = new Map<number, Ticket>()
  let last = 0
  let startups = 0

  const refusal = (source: Source | undefined): string | undefined => {
    if (reached(tickets.size, limits.maxConnections)) return 'too many connections'
    if (reached(startups, limits.maxStartups)) return 'too many connections that have not logged in'
    if (reached(source?.connections ?? 0, limits.maxConnectionsPerSource))
      return 'too many connections from this address'
    if (reached(source?.startups ?? 0, limits.maxStartupsPerSource)) {
      return 'too many connections from this address that have not logged in'
    }
    return undefined
  }
  const leaveStartup = (ticket: Ticket): void => {
    if (ticket.authenticated) return
    ticket.authenticated = true
    ticket.source.startups -= 1
    startups -= 1
  }
  return {
    admit(address) {
      const name = sourceOf(address)
      const known = sources.get(name)
      const reason = refusal(known)
      if (reason !== undefined) return { admitted: false, reason }
      const source = known ?? { name, connections: 0, startups: 0 }
      if (known === undefined) sources.set(name, source)
      source.connections += 1
      source.startups += 1
      startups += 1
      last += 1
      tickets.set(last, { source, authenticated: false })
      return { admitted: true, ticket: last }
    },
    authenticated(number) {
      const ticket = tickets.get(number)
      if (ticket !== undefined) leaveStartup(ticket)
    },
    closed(number) {
      const ticket = tickets.get(number)
      if (ticket === undefined) return
      leaveStartup(ticket)
      tickets.delete(number)
      ticket.source.connections -= 1
      if (ticket.source.connections === 0) sources.delete(ticket.source.name)
    },
    get connections() {
      return tickets.size
    },
    get startups() {
      return startups
    },
    get sources() {
      return sources.size
    },
  }
}

const reached = (count: number, limit: number): boolean => limit > 0 && count >= limit

/** An IPv4 address, or the /64 of an IPv6 address: what one subscriber gets (RFC 6177 section 2) is one source. */
export function sourceOf(address: string): string {
  if (!address.includes(':')) return address
  const [bare = ''] = address.split('%')
  const [head = '', tail] = bare.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':')
    // An IPv4 tail stands for two groups; only the number of groups matters, it is never in the first four.
    const length = after.length + (tail.includes('.') ? 1 : 0)
    groups.push(...new Array<string>(Math.max(0, 8 - groups.length - length)).fill('0'), ...after)
  }
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
