/** Where records go once they have a form. Plain records; the other files of this folder make them. */
export interface Destination<T = string> {
  /** What `LOG_WRITE_FAILED` calls it. */
  readonly name: string
  /** Takes a line with its newline, or a datagram, at once and without blocking; false if the queue is full: it is dropped. */
  write(entry: T): boolean
  /** Opens the same place again and lets go of the old one. Throws when that fails; writing then goes on as before. */
  reopen(): Promise<void>
  /** Writes what is queued and closes, within `limitMs`. Returns the number of entries that could not be written. Idempotent. */
  close(limitMs: number): number
  /** Bytes that wait. */
  readonly queuedBytes: number
}

interface Target<T> extends Omit<Destination<T>, 'name' | 'reopen'> {
  reopen(): void | Promise<void>
}

/** The plain record of an object of a class. */
export const destinationOf = <T>(name: string, target: Target<T>): Destination<T> => ({
  name,
  write: (entry) => target.write(entry),
  reopen: async () => target.reopen(),
  close: (limitMs) => target.close(limitMs),
  get queuedBytes() {
    return target.queuedBytes
  },
})

/** Told about each failed write, and how many entries are lost by it. Must not throw. */
export type Trouble = (cause: unknown, lost?: number) => void

/** Pauses before a destination that failed is tried again: from the first, doubling to the last. */
export const RETRY_MS = [1000, 30_000] as const
/** Longest datagram that we send: UDP takes 65,507 bytes over IPv4, a UNIX socket by default some 200 KiB. */
export const DATAGRAM_BYTES = 60 * 1024
