/**
 * May this source start another handshake? Decided on the address alone, before any cryptography. No input, no output:
 * only numbers, and what the records of refusals say.
 */
import { type NetBlocks, netBlockOf, networks } from '../shared/address.ts'
import type { Offence, Outcome } from '../shared/ipc/outcome.ts'
import { type AdmissionSettings, penaltyRefusal, type Refusal, sourceRefusal, totalRefusal } from './limits.ts'
import { createPenalties, type Sentence } from './penalties.ts'

/** `proxied`: the address is that of a trusted proxy, whose limits are nobody's; `identify` tells whose they are. */
export type Decision =
  | { readonly admitted: true; readonly ticket: number; readonly proxied: boolean }
  | { readonly admitted: false; readonly refusal: Refusal }

export interface Admission {
  /** Addresses are canonical, here and in `identify`. */
  admit(address: string): Decision
  /** Who is behind the proxy. Undefined if nobody asked: the ticket is unknown, not proxied, or identified already. */
  identify(ticket: number, address: string): 'admitted' | Refusal | undefined
  /** The connection has logged in. Unknown and repeated tickets are ignored, here and in `closed`. */
  authenticated(ticket: number): void
  closed(ticket: number, outcome: Outcome): void
  /** From now on; what is counted already stays. */
  configure(settings: AdmissionSettings): void
  readonly connections: number
  readonly startups: number
  /** Sources that have a connection, and those with a penalty: what the memory of this module grows with. */
  readonly sources: number
  readonly penalised: number
}

export interface AdmissionOptions {
  /** 0 to 1. */
  random?(): number
  /** Milliseconds of a clock that never goes back. */
  now?(): number
  /** A source is refused from now on. */
  sentenced?(sentence: Sentence, offence: Offence): void
}

interface Source {
  readonly name: string
  connections: number
  startups: number
}
interface Ticket {
  /** Undefined as long as it is the proxy's. */
  source: Source | undefined
  address: string
  readonly proxied: boolean
  authenticated: boolean
}

const blocksOf = ({ sourceNetBlockIPv4, sourceNetBlockIPv6 }: AdmissionSettings): NetBlocks => ({
  ipv4: sourceNetBlockIPv4,
  ipv6: sourceNetBlockIPv6,
})

export function createAdmission(initial: AdmissionSettings, options: AdmissionOptions = {}): Admission {
  const { random = Math.random, now, sentenced } = options
  let settings = initial
  let blocks = blocksOf(settings)
  const penalties = createPenalties(settings.penalties, blocks, now)
  let isProxy = networks(settings.proxyProtocol.trusted)
  const sources = new Map<string, Source>()
  const tickets = new Map<number, Ticket>()
  let last = 0
  let startups = 0

  const punish = (address: string, offence: Offence): void => {
    const sentence = penalties.punish(address, offence)
    if (sentence !== undefined) sentenced?.(sentence, offence)
  }
  const ofSource = (address: string): Refusal | undefined => {
    const refusal = sourceRefusal(settings, sources.get(netBlockOf(address, blocks)), address)
    if (refusal !== undefined) punish(address, 'refused')
    return refusal
  }
  const byPenalty = (address: string): Refusal | undefined => {
    const penalty = penalties.penaltyOf(address)
    return penalty === undefined ? undefined : penaltyRefusal(penalty, address)
  }
  const join = (ticket: Ticket, address: string): void => {
    const name = netBlockOf(address, blocks)
    const source = sources.get(name) ?? { name, connections: 0, startups: 0 }
    sources.set(name, source)
    source.connections += 1
    source.startups += 1
    ticket.source = source
    ticket.address = address
  }
  const leaveStartup = (ticket: Ticket): void => {
    if (ticket.authenticated) return
    ticket.authenticated = true
    if (ticket.source !== undefined) ticket.source.startups -= 1
    startups -= 1
  }
  return {
    admit(address) {
      const proxied = isProxy(address)
      const refusal =
        (proxied ? undefined : byPenalty(address)) ??
        totalRefusal(settings, tickets.size, startups, address, random) ??
        (proxied ? undefined : ofSource(address))
      if (refusal !== undefined) return { admitted: false, refusal }
      const ticket: Ticket = { source: undefined, address, proxied, authenticated: false }
      if (!proxied) join(ticket, address)
      startups += 1
      last += 1
      tickets.set(last, ticket)
      return { admitted: true, ticket: last, proxied }
    },
    identify(number, address) {
      const ticket = tickets.get(number)
      if (ticket === undefined || !ticket.proxied || ticket.source !== undefined || ticket.authenticated)
        return undefined
      const refusal = byPenalty(address) ?? ofSource(address)
      if (refusal !== undefined) return refusal
      join(ticket, address)
      return 'admitted'
    },
    authenticated(number) {
      const ticket = tickets.get(number)
      if (ticket !== undefined) leaveStartup(ticket)
    },
    closed(number, outcome) {
      const ticket = tickets.get(number)
      if (ticket === undefined) return
      const { source, authenticated } = ticket
      leaveStartup(ticket)
      tickets.delete(number)
      if (source === undefined) return
      source.connections -= 1
      if (source.connections === 0) sources.delete(source.name)
      if (!authenticated && outcome !== 'session' && outcome !== 'server') punish(ticket.address, outcome)
    },
    configure(next) {
      settings = next
      blocks = blocksOf(next)
      penalties.configure(next.penalties, blocks)
      isProxy = networks(next.proxyProtocol.trusted)
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
    get penalised() {
      return penalties.size
    },
  }
}
