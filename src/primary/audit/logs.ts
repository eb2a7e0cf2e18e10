/**
 * The audit logs that are open, each of a connection of a worker. A worker may be taken over: it can fill the logs of its own
 * connections, as far as its credit goes, and nothing else.
 */
import type { LogFacts } from '../../shared/audit/facts.ts'
import type { Arrival } from '../../shared/ipc/handle.ts'
import type { AuditReport } from '../answers.ts'
import type { AuditSender } from '../fleet.ts'
import { type Account, LogStream, type StreamShared } from './stream.ts'

/**
 * What a worker may have sent above its bounds: it stops moving bytes when it has reached them, but each channel may be in the
 * middle of a block, and what has happened is always told.
 */
export const CONNECTION_SLACK_BYTES = 8 * 2 ** 20
export const WORKER_SLACK_BYTES = 64 * 2 ** 20

export interface LogsOptions {
  /** Without places, everything is taken and nothing kept. */
  readonly shared: StreamShared
  /** The log of a connection ends without a word of its worker. */
  abandoned(connectionId: string): void
  readonly connectionBytes: number
  readonly workerBytes: number
}
interface Entry {
  readonly connectionId: string
  /** Undefined: nothing is kept. */
  readonly stream: LogStream | undefined
  readonly sender: AuditSender
  hasEnded: boolean
}

export class Logs {
  readonly #options: LogsOptions
  /** By ticket. */
  readonly #entries = new Map<number, Entry>()
  /** Those that were told to end too, with their end. */
  readonly #streams = new Map<LogStream, Promise<void> | undefined>()
  readonly #accounts = new WeakMap<AuditSender, Account>()

  constructor(options: LogsOptions) {
    this.#options = options
  }

  /** A message of a worker about its connection; `remote`: who connected, or the proxy in front. */
  report(report: AuditReport, sender: AuditSender, remote: Arrival): void {
    const offence = this.#take(report, sender, remote)
    if (offence !== undefined) sender.offend(offence)
  }

  /** The connection is over: its log ends here if the worker has not ended it. */
  over(ticket: number): void {
    const entry = this.#entries.get(ticket)
    if (entry === undefined) return
    this.#entries.delete(ticket)
    if (entry.hasEnded) return
    // Of one that failed the worker was told that nothing more is taken.
    if (entry.stream?.hasFailed !== true) this.#options.abandoned(entry.connectionId)
    this.#end(entry)
  }

  /** Flushes to the disk what is new. */
  async sync(): Promise<void> {
    await Promise.all([...this.#streams.keys()].map((stream) => stream.sync()))
  }

  /** Resolves when the logs that were told to end are closed. */
  async closed(): Promise<void> {
    await Promise.all(this.#streams.values())
  }

  get open(): number {
    return this.#streams.size
  }
  get waitingBytes(): number {
    let bytes = 0
    for (const stream of this.#streams.keys()) bytes += stream.waitingBytes
    return bytes
  }

  /** What is wrong with the message. */
  #take(report: AuditReport, sender: AuditSender, remote: Arrival): string | undefined {
    const { ticket } = report
    const entry = this.#entries.get(ticket)
    if (report.kind === 'audit-open') {
      if (entry?.sender === sender) return 'a second audit log for a connection'
      // The one before died before it had taken the connection, which is another's now.
      this.over(ticket)
      this.#open(ticket, report.connectionId, sender, remote)
      return undefined
    }
    if (entry?.sender !== sender || entry.hasEnded) return 'audit records of a log that is not open'
    if (report.kind === 'audit-close') {
      this.#end(entry)
      return undefined
    }
    return this.#push(ticket, report.batch, entry)
  }

  #open(ticket: number, connectionId: string, sender: AuditSender, { address, country }: Arrival): void {
    const { shared } = this.#options
    const isKept = shared.places.length > 0
    const stream = isKept
      ? new LogStream(connectionId, firstFacts(address, country), this.#accountOf(sender), shared, {
          stored: (bytes) => sender.reply({ kind: 'audit-stored', ticket, bytes }),
          failed: (reason) => sender.reply({ kind: 'audit-failed', ticket, reason }),
          offended: sender.offend,
        })
      : undefined
    this.#entries.set(ticket, { connectionId, stream, sender, hasEnded: false })
    if (stream === undefined) sender.reply({ kind: 'audit-stored', ticket, bytes: 0 })
    else this.#streams.set(stream, undefined)
  }

  #push(ticket: number, batch: Uint8Array, { stream, sender }: Entry): string | undefined {
    const { connectionBytes, workerBytes } = this.#options
    if (stream === undefined) {
      sender.reply({ kind: 'audit-stored', ticket, bytes: batch.length })
      return undefined
    }
    stream.push(batch)
    const isTooMuch =
      stream.waitingBytes > connectionBytes + CONNECTION_SLACK_BYTES ||
      this.#accountOf(sender).bytes > workerBytes + WORKER_SLACK_BYTES
    return isTooMuch ? 'more audit records than may wait' : undefined
  }

  #end(entry: Entry): void {
    entry.hasEnded = true
    const { stream } = entry
    if (stream === undefined) return
    const closed = stream.end().then(() => void this.#streams.delete(stream))
    this.#streams.set(stream, closed)
  }

  #accountOf(sender: AuditSender): Account {
    const account = this.#accounts.get(sender) ?? { bytes: 0 }
    this.#accounts.set(sender, account)
    return account
  }
}

/** Until the first record tells more. */
const firstFacts = (remoteAddr: string, country: string): LogFacts => ({
  startTime: Math.floor(Date.now() / 1000),
  remoteAddr,
  authenticated: false,
  username: '',
  country,
})
