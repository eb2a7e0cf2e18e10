/** From which countries the open connections are. Each connection is counted once, when its country is known for good. */
import { count, unknownCountry } from '../shared/metric.ts'

export interface Visitors {
  /** `proxied`: it is the country of a proxy, until somebody is identified behind it. */
  came(ticket: number, country: string, proxied: boolean): void
  identified(ticket: number, country: string): void
  /** Unknown tickets are ignored. */
  left(ticket: number): void
  /** Open connections by country; a country stays when its last one has left. */
  readonly byCountry: ReadonlyMap<string, number>
}

export function createVisitors(): Visitors {
  const open = new Map([[unknownCountry, 0]])
  const tickets = new Map<number, { country: string; isCounted: boolean }>()
  const shift = (country: string, by: 1 | -1): void => void open.set(country, (open.get(country) ?? 0) + by)
  const counted = (country: string): void => count('containerssh_ssh_connections_total', { country })
  return {
    came(ticket, country, proxied) {
      tickets.set(ticket, { country, isCounted: !proxied })
      shift(country, 1)
      if (!proxied) counted(country)
    },
    identified(ticket, country) {
      const visitor = tickets.get(ticket)
      if (visitor === undefined || visitor.isCounted) return
      shift(visitor.country, -1)
      shift(country, 1)
      counted(country)
      visitor.country = country
      visitor.isCounted = true
    },
    left(ticket) {
      const visitor = tickets.get(ticket)
      if (visitor === undefined) return
      tickets.delete(ticket)
      shift(visitor.country, -1)
      if (!visitor.isCounted) counted(visitor.country)
    },
    byCountry: open,
  }
}
