/** What all connections of a worker share. */
import type { Config } from '../../shared/config/index.ts'
import type { Connection, Layer, Peer } from '../ports.ts'
import type { Budget } from './budget.ts'
import type { Ending } from './ending.ts'
import type { HostKeys } from './host-key-proof.ts'
import type { Link } from './link.ts'
import type { Backlog } from './turns.ts'
import type { RecordConnection } from './witness.ts'

export interface House {
  readonly config: Config
  /** For receive windows, over all connections. */
  readonly budget: Budget
  /** Of output, over all connections. */
  readonly backlog: Backlog
  readonly hostKeys: HostKeys
  /** Set: the worker stops. */
  readonly ending: Ending | undefined
  /** The layers around the room, for one connection. */
  admit(peer: Peer, audit?: Layer<Connection>): Connection
  /** Only when audit is on. */
  readonly record: RecordConnection | undefined
  authenticated(link: Link): void
  /** Everything that belonged to the connection is gone. */
  ended(link: Link): void
}
