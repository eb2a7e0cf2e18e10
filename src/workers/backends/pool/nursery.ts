/** What a pool asks of its room: how one is made, watched, given to a user and removed. */
import type { Log } from '../../../shared/log.ts'
import type { Occupant } from '../../ports.ts'

export interface Watcher {
  ended(): void
  /** The end may have gone by unseen: ask. */
  missed(): void
}

/** Of one profile. `T`: one of those that are made ahead, with all that the room has to know about it. */
export interface Nursery<T extends object> {
  /** One that runs. @throws Fault */
  make(signal: AbortSignal): Promise<T>
  /** Gives the end of watching. */
  watch(one: T, watcher: Watcher): () => void
  /** @throws when nobody can tell */
  isRunning(one: T, signal: AbortSignal): Promise<boolean>
  /** Makes it the user's. False: it does not run any more. @throws when nobody can tell */
  give(one: T, who: Occupant, log: Log, signal: AbortSignal): Promise<boolean>
  /** Never rejects. The worker waits for it at its end. */
  remove(one: T, log: Log): Promise<void>
  /** Those that would be made in another way now. Never rejects. */
  stale(ready: readonly T[]): Promise<readonly T[]>
  readonly tell: News<T>
}

/** Each is a record of the log. `ready`: how many wait. */
export interface News<T extends object> {
  filled(one: T, ready: number): void
  fillFailed(error: unknown): void
  claimed(one: T, ready: number, log: Log): void
  empty(log: Log): void
  lost(one: T, log: Log): void
}

/** What pools have to know about the rooms of a backend. */
export interface PoolKind<R, T extends object> {
  settings(room: R): PoolSettings
  /** Those of the same name are alike; undefined: none can be made ahead. */
  profile(room: R): string | undefined
  /** `closing`: the pool ends. */
  nursery(room: R, profile: string, closing: AbortSignal): Nursery<T>
}

/** See the configuration reference. */
export interface PoolSettings {
  readonly min: number
  readonly max: number
  /** Milliseconds. */
  readonly idleLife: number
  readonly profiles: number
}
