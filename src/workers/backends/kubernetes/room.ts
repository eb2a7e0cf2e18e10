/** What all files of this room share: made once per `kubernetes` section. */
import type { Config } from '../../../shared/config/schema.ts'
import type { Identity } from '../../../shared/identity.ts'
import type { Labels } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import type { Pools } from '../pool/pools.ts'
import type { Shares } from '../share/share.ts'
import type { Ready } from './ahead.ts'
import type { Api } from './api.ts'
import type { Cleanup } from './cleanup.ts'
import type { Leases } from './lease.ts'
import type { Make } from './register.ts'

export type KubernetesSettings = Config['kubernetes']

export interface Room {
  readonly api: Api
  readonly settings: KubernetesSettings
  readonly identity: Identity
  readonly cleanup: Cleanup
  /** For those who cannot see our process. */
  readonly leases: Leases
  /** Pods that run already. */
  readonly pools: Pools<Room, Ready>
  /** Pods with several connections: any worker may have made them. */
  readonly shares: Shares<Make>
}

/** Of each record of a connection, besides those of its peer. */
export const occupantLabels = ({ member }: Occupant): Labels => ({
  module: 'backend',
  backend: 'kubernetes',
  username: member.username,
  authenticatedUsername: member.authenticatedUsername,
})
