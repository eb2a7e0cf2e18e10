/** systemd's journal as the destination of records with fields. */
import { fstatSync } from 'node:fs'
import type { LogRecord } from '../log.ts'
import { DATAGRAM_BYTES, type Destination, type Trouble } from './destination.ts'
import { journalEntry } from './journal-format.ts'
import { fitting } from './shorten.ts'
import { unixDatagram } from './unix-datagram.ts'
import { datagramAddon } from './unix-dgram.ts'

export interface JournalConfig {
  readonly socket: string
  readonly identifier: string
  readonly fields: boolean
}

/** Whether the descriptor is a stream to the journal, by what systemd says of it: systemd.exec(5), JOURNAL_STREAM. */
export function isJournal(fd: number): boolean {
  const stream = process.env['JOURNAL_STREAM']
  if (stream === undefined) return false
  const { dev, ino } = fstatSync(fd, { bigint: true })
  return stream === `${dev}:${ino}`
}

interface Journal {
  readonly destination: Destination<Buffer>
  render(record: LogRecord): Buffer
}

/**
 * @param message MESSAGE of the entry
 * @throws Error that says why the journal cannot be reached
 */
export function journal(
  config: JournalConfig,
  message: (record: LogRecord) => string,
  trouble: Trouble,
  queueBytes: number,
): Journal {
  const addon = datagramAddon()
  if (addon === undefined) throw new Error('the package unix-dgram was not built when this program was installed')
  const entry = (record: LogRecord) => journalEntry(record, message(record), config.identifier)
  return {
    destination: unixDatagram({ path: config.socket, addon, trouble, queueBytes }),
    // More than a datagram holds would have to be passed as a file descriptor, which Node cannot.
    render: (record) => fitting(record, DATAGRAM_BYTES, entry),
  }
}
