/** Where lines go. Plain records; `descriptor.ts`, `stream.ts` and `syslog.ts` make them. */
export interface Destination {
  /** What `LOG_WRITE_FAILED` calls it. */
  readonly name: string
  /** Takes one line with its newline, at once and without blocking; false when it is dropped because the queue is full. */
  write(line: string): boolean
  /** Opens the same place again and lets go of the old one. Throws when that fails; writing then goes on as before. */
  reopen(): Promise<void>
  /** Writes what is queued and closes, within `limitMs`. Returns the number of lines that could not be written. Idempotent. */
  close(limitMs: number): number
  /** Bytes that wait. */
  readonly queuedBytes: number
}

/** Told about each failed write. Must not throw. */
export type Trouble = (cause: unknown) => void

/** Bound of the queue before a destination. About 20,000 records. */
export const QUEUE_BYTES = 4 * 1024 * 1024
/** Pause before a destination that failed is tried again. */
export const RETRY_MS = 1000
