/** What goes between the primary and its threads to write audit logs. All of it is plain data; see `log-wire.ts`. */

import type { CastState } from './cast.ts'
import type { ChainState } from './chain.ts'
import type { EnvelopeState } from './envelope.ts'
import type { LogFacts } from './facts.ts'
import type { Compression } from './file-format.ts'
import type { Load, Outcomes } from './log-wire.ts'

/** What the threads' module exports. */
export interface LogTasks {
  /** The next batches of several logs; outcomes in the same order. Those of one log must come one after the other. */
  store(load: Load): Promise<Outcomes>
}

/** Of all logs. */
export interface LogSettings {
  readonly format: Compression | 'asciinema'
  /** See `envelope.ts`; none: logs are not encrypted. */
  readonly recipients: readonly string[]
  /** Session channels that may be open at a time. */
  readonly mostChannels: number
}

/** A file of the same name in a folder of each storage. */
export interface LogFile {
  readonly name: string
  readonly copies: readonly Copy[]
  /** Of what is written; the next byte goes behind. */
  readonly bytes: number
  /** Of encrypted logs, once something was written. */
  readonly envelope: EnvelopeState | undefined
  /** Of asciinema, once a session channel has this file for its recording. */
  readonly recording: { readonly channel: number; readonly cast: CastState } | undefined
}
export interface Copy {
  readonly folder: string
  /** Valid in every thread. */
  readonly descriptor: number
}

/** What one task hands to the next of the same log. */
export interface LogState {
  readonly connectionId: string
  /** Where further files go. */
  readonly folders: readonly string[]
  /** Those that are written. The first is there before the first task. */
  readonly files: readonly LogFile[]
  /** How many there ever were. */
  readonly fileCount: number
  readonly chain: ChainState | undefined
  /** Time of the latest record, nanoseconds since 1970. */
  readonly latest: bigint
  readonly facts: LogFacts
}

export interface LogWork {
  readonly state: LogState
  /** See `batch.ts`. */
  readonly batches: readonly Uint8Array[]
  readonly end: LogEnd | undefined
}
/** This task is the last. */
export interface LogEnd {
  /** Of the last record, unless one of the log is later. */
  readonly timestamp: bigint
  /** PEM texts: the first ed25519 key signs. */
  readonly hostKeys: readonly string[]
}

/** `reason`: nothing is known of what reached the files. */
export type LogOutcome = LogStored | { readonly reason: string }
export interface LogStored {
  readonly state: LogState
  /** These are complete: their descriptors wait to be closed. */
  readonly finished: readonly LogFile[]
  /** Copies that could not be written and are no longer in the state. They hold what they held before this task. */
  readonly failures: readonly CopyFailure[]
  /** The worker has sent its last record, of this time. */
  readonly disconnect: bigint | undefined
  /** The batch was none from here on: what the worker did wrong. */
  readonly offence: string | undefined
}
export interface CopyFailure {
  readonly name: string
  readonly folder: string
  /** Undefined: the file could not be made. */
  readonly descriptor: number | undefined
  readonly reason: string
}

export const newLogFile = (name: string, copies: readonly Copy[]): LogFile => ({
  name,
  copies,
  bytes: 0,
  envelope: undefined,
  recording: undefined,
})
