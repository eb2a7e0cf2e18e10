/** The rooms by the name that `backend` has in the configuration. */
import type { Config } from '../../shared/config/schema.ts'
import type { Identity } from '../../shared/identity.ts'
import type { Log } from '../../shared/log.ts'
import { docker } from './docker/index.ts'
import type { ReapingBackend } from './rooms.ts'
import { sandbox } from './sandbox/index.ts'

export type RoomFactory = (config: Config, identity: Identity, log: Log) => Promise<ReapingBackend>

/** Its library is large: loaded by those who use it. */
const kubernetes: RoomFactory = async (config, identity, log) =>
  (await import('./kubernetes/index.ts')).kubernetes(config, identity, log)

export const rooms: Readonly<Record<string, RoomFactory>> = { docker, kubernetes, sandbox }
