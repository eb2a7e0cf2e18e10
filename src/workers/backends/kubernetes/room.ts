/** What all files of this room share: made once per `kubernetes` section. */
import type { Config } from '../../../shared/config/schema.ts'
import type { Identity } from '../../../shared/identity.ts'
import type { Labels } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'
import type { Api } from './api.ts'
import type { Cleanup } from './cleanup.ts'

export type KubernetesSettings = Config['kubernetes']

export interface Room {
  readonly api: Api
  readonly settings: KubernetesSettings
  readonly identity: Identity
  readonly cleanup: Cleanup
}

/** Of each record of a connection, besides those of its peer. */
export const occupantLabels = ({ member }: Occupant): Labels => ({
  module: 'backend',
  backend: 'kubernetes',
  username: member.username,
  authenticatedUsername: member.authenticatedUsername,
})
