/** What all files of this room share: made once per `docker` section. */
import type { Config } from '../../../shared/config/schema.ts'
import type { Identity } from '../../../shared/identity.ts'
import type { Labels } from '../../../shared/log.ts'
import type { Turns } from '../../../shared/turns.ts'
import type { Occupant } from '../../ports.ts'
import type { Pools } from '../pool/pools.ts'
import type { Shares } from '../share/share.ts'
import type { Ready } from './ahead.ts'
import type { Cleanup } from './cleanup.ts'
import type { Direct } from './direct/direct.ts'
import type { Ends } from './ends.ts'
import type { Engine } from './engine.ts'
import type { Helpers } from './helper.ts'
import type { Images } from './image.ts'
import type { Insides } from './inside.ts'
import type { Lease } from './lease.ts'
import type { Make } from './register.ts'

export type DockerSettings = Config['docker']

export interface Room {
  readonly engine: Engine
  readonly settings: DockerSettings
  readonly identity: Identity
  readonly images: Images
  readonly insides: Insides
  readonly helpers: Helpers
  /** How programs end, told by the engine's events. */
  readonly ends: Ends
  readonly cleanup: Cleanup
  /** The way past it for streams. */
  readonly direct: Direct
  /** For those who cannot see our process; undefined: they have to guess. */
  readonly lease: Lease | undefined
  /** To have the engine start a container: one that starts many at once is done with none for a long time. */
  readonly starts: Turns
  /** Containers that run already. */
  readonly pools: Pools<Room, Ready>
  /** Containers with several connections, and how programs in them end: any worker may have made them. */
  readonly shares: Shares<Make>
  readonly sharedEnds: Ends
}

/** The labels of our containers. The first three are as the Go program wrote them. */
export const label = {
  connectionId: 'containerssh_connection_id',
  ip: 'containerssh_ip',
  username: 'containerssh_username',
  /** The daemon: the same for all of its workers. */
  instance: 'containerssh_instance',
  /** The process that has to remove the container; see identity.ts. */
  owner: 'containerssh_owner',
  /** One attempt to create: finds the container of an answer that never came. */
  creation: 'containerssh_creation',
  /** Others can tell from it whether the owner is alive; see lease.ts. */
  lease: 'containerssh_lease',
  /** Several connections live in it: what they have in common. */
  share: 'containerssh_share',
  /** Of the mark of a connection in a shared container; see share-marks.ts. */
  mark: 'containerssh_mark',
  container: 'containerssh_container',
  leased: 'containerssh_leased',
  /** Made ahead for whoever comes, in place of the first three: the name of its profile. */
  pool: 'containerssh_pool',
  /** Folder on this machine for streams past the engine; see direct.ts. */
  streams: 'containerssh_streams',
  /** Of a volume: the helper is in it. */
  helper: 'containerssh_helper',
} as const

/** Of each record of a connection, besides those of its peer. */
export const occupantLabels = ({ member }: Occupant): Labels => ({
  module: 'backend',
  backend: 'docker',
  username: member.username,
  authenticatedUsername: member.authenticatedUsername,
})
