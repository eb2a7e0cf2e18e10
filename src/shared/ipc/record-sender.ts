/** The log of a worker: gathers records and sends them to the primary. Never blocks; what does not fit is counted. */
import { shortened } from '../log/shorten.ts'
import type { LogRecord } from '../log.ts'
import type { Report } from './contract.ts'
import type { Link } from './link.ts'

/** Longest text of a record, in UTF-16 units: far below a frame, even if a whole batch consists of such. */
const MAX_TEXT = 8192
const MAX_BATCH = 100
/** UTF-16 units in one batch, each at most 3 bytes: stays below a frame. */
const MAX_BATCH_TEXT = 128 * 1024

export interface RecordSender {
  write(record: LogRecord): void
  /** Sends what was gathered, and the number of records that were dropped before. */
  flush(): void
  /** Records dropped and not yet reported. */
  readonly dropped: number
}

export function createRecordSender(link: Link<Report>): RecordSender {
  let batch: LogRecord[] = []
  let batchText = 0
  let dropped = 0
  let scheduled = false

  const flush = (): void => {
    if (batch.length === 0 && dropped === 0) return
    if (link.offer({ kind: 'log', records: batch, dropped })) dropped = 0
    else dropped += batch.length
    batch = []
    batchText = 0
  }
  return {
    write(record) {
      const short = shortened(record, MAX_TEXT)
      const text = textOf(short)
      if (batch.length >= MAX_BATCH || batchText + text > MAX_BATCH_TEXT) flush()
      batch.push(short)
      batchText += text
      if (scheduled) return
      scheduled = true
      setImmediate(() => {
        scheduled = false
        flush()
      })
    },
    flush,
    get dropped() {
      return dropped
    },
  }
}

function textOf(record: LogRecord): number {
  let length = record.message.length + 100
  for (const [name, value] of Object.entries(record.labels)) length += name.length + String(value).length
  return length
}
