/** Where connections come into a worker: each handle becomes a `Link`. Knows which there are, and how to end them all. */

import type { Config } from '../../shared/config/index.ts'
import { newId } from '../../shared/id.ts'
import type { TcpHandle } from '../../shared/ipc/handle.ts'
import type { Log } from '../../shared/log.ts'
import { connectionOf } from '../layers/index.ts'
import { createUsers } from '../layers/users.ts'
import type { Backend, Connection, ConnectionId, Peer } from '../ports.ts'
import { Budget } from './budget.ts'
import { parseHostKey } from './host-key.ts'
import { type House, Link } from './link.ts'
import { disconnect } from './numbers.ts'
import { createTransport } from './transport.ts'
import type { Wire } from './wire.ts'

/** Receive windows of all connections of a worker beyond the first 64 KiB of each channel. */
const workerWindowBytes = 64 * 1024 * 1024

export interface IntakeOptions {
  readonly config: Config
  /** PEM texts. */
  readonly hostKeys: readonly string[]
  /** Without labels; module, connectionId and remoteAddr are added here. */
  readonly log: Log
  readonly backend: Backend
  readonly events: IntakeEvents
}

/** `ticket` is the one given to `serve`. */
export interface IntakeEvents {
  authenticated(ticket: number): void
  /** The connection is over and everything that belonged to it is gone. */
  closed(ticket: number): void
}

export interface Intake {
  /** Takes ownership of the handle. Without an address (the client has gone already) it is only closed. */
  serve(handle: TcpHandle, ticket: number, remote: { readonly address: string; readonly port: number }): void
  /** Connections that are not completely gone. */
  readonly size: number
  /**
   * Takes no more connections and asks every program to end (signal TERM); each connection ends with its last channel.
   * Resolves when all are gone. At the abort those that are left are disconnected whatever they are doing.
   */
  drain(signal: AbortSignal): Promise<void>
}

export function createIntake(options: IntakeOptions): Intake {
  const { config, hostKeys, log, backend, events } = options
  const transport = createTransport(config, hostKeys.map(parseHostKey))
  const users = createUsers(config.auth.users, log.with({ module: 'auth' }))
  const admit = (peer: Peer): Connection => connectionOf(peer, { users, backend })
  return intakeOn<TcpHandle>({ accept: (handle) => transport.accept(handle), config, log, admit, events })
}

/** The same over any source of wires. `H` is what `serve` is given. */
export interface Reception<H> {
  accept(handle: H): Wire
  readonly config: Config
  readonly log: Log
  admit(peer: Peer): Connection
  readonly events: IntakeEvents
}

export function intakeOn<H extends { close(): void }>(reception: Reception<H>) {
  const links = new Set<Link>()
  const { config, events } = reception
  let stopping = false
  let empty: (() => void) | undefined
  const house: House = {
    config,
    budget: new Budget(workerWindowBytes),
    get stopping() {
      return stopping
    },
    admit: reception.admit,
    authenticated: (link) => events.authenticated(link.ticket),
    ended(link) {
      links.delete(link)
      events.closed(link.ticket)
      if (links.size === 0) empty?.()
    },
  }
  return {
    get size() {
      return links.size
    },
    serve(handle: H, ticket: number, remote: { readonly address: string; readonly port: number }): void {
      if (stopping) {
        handle.close()
        events.closed(ticket)
        return
      }
      const connectionId = newId() as ConnectionId
      const log = reception.log.with({ module: 'ssh', connectionId, remoteAddr: remote.address })
      const peer: Peer = {
        connectionId,
        remoteAddress: remote.address,
        remotePort: remote.port,
        clientVersion: '',
        log,
      }
      const link = new Link(house, ticket, reception.accept(handle), peer)
      links.add(link)
      link.start()
    },
    async drain(signal: AbortSignal): Promise<void> {
      stopping = true
      const gone = new Promise<void>((resolve) => {
        empty = resolve
      })
      if (links.size === 0) return
      for (const link of links) link.stop()
      const cut = (): void => {
        for (const link of links) link.disconnect(disconnect.byApplication, 'server is shutting down')
      }
      if (signal.aborted) cut()
      else signal.addEventListener('abort', cut, { once: true })
      await gone
      signal.removeEventListener('abort', cut)
    },
  }
}
