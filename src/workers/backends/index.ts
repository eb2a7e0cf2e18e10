/** The rooms by the name that `backend` has in the configuration. */
import type { Config } from '../../shared/config/schema.ts'
import type { Identity } from '../../shared/identity.ts'
import type { Log } from '../../shared/log.ts'
import type { ReapingBackend } from './rooms.ts'

export type RoomFactory = (config: Config, identity: Identity, log: Log) => Promise<ReapingBackend>

/** Their libraries are large, and a worker has one room: each is loaded by those who use it. */
const docker: RoomFactory = async (config, identity, log) =>
  (await import('./docker/index.ts')).docker(config, identity, log)
const kubernetes: RoomFactory = async (config, identity, log) =>
  (await import('./kubernetes/index.ts')).kubernetes(config, identity, log)
const sandbox: RoomFactory = async (config, identity, log) =>
  (await import('./sandbox/index.ts')).sandbox(config, identity, log)

export const rooms: Readonly<Record<string, RoomFactory>> = { docker, kubernetes, sandbox }
