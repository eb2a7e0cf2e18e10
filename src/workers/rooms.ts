import type { Config } from '../shared/config/index.ts'
import type { Identity } from '../shared/identity.ts'
import type { Log } from '../shared/log.ts'
import type { Backend } from './ports.ts'

/** A room that a worker has made: it also removes what dead processes left behind. */
export interface OpenRoom extends Backend {
  /** Removes what belongs to processes that are dead; resolves to the number of sandboxes. */
  reap(signal: AbortSignal): Promise<number>
}
export type RoomFactory = (config: Config, identity: Identity, log: Log) => Promise<OpenRoom>
/** By the value of `backend` in the configuration. */
export type Rooms = Readonly<Record<string, RoomFactory>>
