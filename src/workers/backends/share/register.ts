/** What sharing asks of a room: where it is kept who is in what, and what becomes of those that nobody is in. */
import type { Fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'

/** Of one connection. */
export interface Visit {
  /** What those have in common who are in the same one; see `name.ts`. */
  readonly share: string
  readonly connectionId: string
  /** Of the container or pod; empty: the visit did not get as far as one. The register sets it as soon as it knows. */
  id: string
}

/** `M`: how one is made. */
export interface Register<M> {
  /**
   * Finds the one of the share or has it made, and lets the visitor in: from here on it stays. At most `limit` are in it at
   * a time; 0: any number. Gives their number, with this one; undefined: it is full.
   * @throws Fault; the room's error
   */
  enter(visit: Visit, limit: number, make: M, log: Log, signal: AbortSignal): Promise<number | undefined>
  /** `lingers`: it stays all the same, until `stopLingering`. Right after an `enter` that failed, too. */
  leave(visit: Visit, lingers: boolean, log: Log, signal: AbortSignal): Promise<void>
  stopLingering(visit: Visit, log: Log, signal: AbortSignal): Promise<void>
  /** Removes it unless somebody is in it; false: somebody is, or it is gone. */
  endUnused(place: Place, log: Log, signal: AbortSignal): Promise<boolean>
  /** Those that nobody is in, as far as can be seen. */
  unused(signal: AbortSignal): Promise<readonly Place[]>
  readonly tell: News
}

export type Place = Pick<Visit, 'share' | 'id'>

export interface News {
  joined(visit: Visit, connections: number, log: Log): void
  leaveFailed(visit: Visit, error: unknown, log: Log): void
  full(limit: number): Fault
  failed(error: unknown): Fault
}

/** See the configuration reference. */
export interface ShareSettings {
  readonly by: 'none' | 'user' | 'metadata' | 'value'
  readonly key: string
  readonly value: string
  /** Milliseconds. */
  readonly linger: number
  readonly maxConnections: number
}
