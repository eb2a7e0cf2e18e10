/** Knows the connections of a worker, and how to end them all. */
import type { Config } from '../../shared/config/index.ts'
import { newId } from '../../shared/id.ts'
import { type Arrival, monotonicMs } from '../../shared/ipc/handle.ts'
import type { Outcome } from '../../shared/ipc/outcome.ts'
import type { Log } from '../../shared/log.ts'
import { observe } from '../../shared/metric.ts'
import type { Connection, ConnectionId, Layer, Peer } from '../ports.ts'
import { Budget } from './budget.ts'
import { type Ending, shutdown } from './ending.ts'
import type { HostKey } from './host-key.ts'
import { createHostKeys } from './host-key-proof.ts'
import type { House } from './house.ts'
import { Link } from './link.ts'
import { disconnect } from './numbers.ts'
import { Backlog } from './turns.ts'
import type { Wire } from './wire.ts'
import type { RecordConnection } from './witness.ts'

/** `ticket` is the one given to `serve`. */
export interface ReceptionEvents {
  authenticated(ticket: number): void
  /** The connection is over and everything that belonged to it is gone. */
  closed(ticket: number, outcome: Outcome): void
}

export interface Reception<H> {
  /** Takes ownership of the handle. */
  serve(handle: H, ticket: number, arrival: Arrival): void
  /** Connections that are not completely gone. */
  readonly size: number
  readonly links: ReadonlySet<Link>
  /** Over all of them: what waits for slow clients, and what they may send, or have sent, before it is taken. */
  readonly queued: { readonly outputBytes: number; readonly windowBytes: number }
  /**
   * Takes no more connections and asks every program to end (signal TERM); each connection ends with its last channel.
   * Resolves when all are gone. At the abort those that are left are disconnected whatever they are doing; `withinMs` is
   * what people at terminals are told about that.
   */
  drain(signal: AbortSignal, withinMs?: number): Promise<void>
}

/** `H`: what `serve` is given, of which `accept` makes a wire. */
export interface ReceptionOptions<H> {
  accept(handle: H): Wire
  readonly config: Config
  readonly hostKeys: readonly HostKey[]
  readonly log: Log
  /** `audit`: the outermost layer, when the connection is recorded. */
  admit(peer: Peer, audit?: Layer<Connection>): Connection
  /** Only when audit is on. */
  readonly record?: RecordConnection | undefined
  readonly events: ReceptionEvents
}

export function createReception<H extends { close(): void }>(options: ReceptionOptions<H>): Reception<H> {
  const links = new Set<Link>()
  const { config, events } = options
  let ending: Ending | undefined
  let empty: (() => void) | undefined
  const house: House = {
    config,
    budget: new Budget(config.limits.workerWindowBytes),
    backlog: new Backlog(config.limits.workerOutputBytes),
    hostKeys: createHostKeys(options.hostKeys),
    get ending() {
      return ending
    },
    admit: options.admit,
    record: options.record,
    authenticated: (link) => events.authenticated(link.ticket),
    ended(link) {
      links.delete(link)
      events.closed(link.ticket, link.outcome)
      if (links.size === 0) empty?.()
    },
  }
  return {
    links,
    get size() {
      return links.size
    },
    get queued() {
      return { outputBytes: house.backlog.usedBytes, windowBytes: house.budget.usedBytes }
    },
    serve(handle: H, ticket: number, arrival: Arrival): void {
      if (ending !== undefined) {
        handle.close()
        events.closed(ticket, 'server')
        return
      }
      const connectionId = newId() as ConnectionId
      const log = options.log.with({ module: 'ssh', connectionId, remoteAddr: arrival.address })
      const peer: Peer = {
        connectionId,
        remoteAddress: arrival.address,
        remotePort: arrival.port,
        country: arrival.country,
        clientVersion: '',
        log,
      }
      const link = new Link(house, ticket, options.accept(handle), peer)
      links.add(link)
      link.start()
      observe('containerssh_ssh_banner_seconds', {}, (monotonicMs() - arrival.acceptedMs) / 1000)
    },
    async drain(signal: AbortSignal, withinMs?: number): Promise<void> {
      const end = shutdown(withinMs)
      ending = end
      const gone = new Promise<void>((resolve) => {
        empty = resolve
      })
      if (links.size === 0) return
      for (const link of links) link.stop(end)
      const cut = (): void => {
        for (const link of links) link.disconnect(disconnect.byApplication, end.text)
      }
      if (signal.aborted) cut()
      else signal.addEventListener('abort', cut, { once: true })
      await gone
      signal.removeEventListener('abort', cut)
    },
  }
}
