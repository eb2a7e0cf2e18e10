/** What the log says when the log itself fails: `LOG_WRITE_FAILED` on standard error, seldom. */
import { createLog, type LogRecord } from '../log.ts'
import { processCounters } from '../metric.ts'
import { descriptor } from './descriptor.ts'
import type { Destination } from './destination.ts'
import { type Format, formatLine } from './format.ts'
import { openStandard } from './open.ts'

/** At most one record in this time. */
export const REPORT_EVERY_MS = 10_000
/** Standard error may be the very pipe that is stuck. */
const QUEUE_BYTES = 64 * 1024

export interface TroubleReport {
  /** A write failed, and took so many records with it. */
  failed(cause: unknown, lost?: number): void
  /** A record found no room in the queue. */
  dropped(): void
  /** While there is trouble, writes the record to standard error. */
  echo(record: LogRecord): void
  /** The last report, if there is something to tell, and the end. */
  close(lost: number): void
  /** Records dropped and lost since the start. */
  readonly total: number
  /** When the last trouble was, in milliseconds since 1970. */
  readonly lastAt: number
}

/** @param name of the destination that is in trouble */
export function troubleReport(name: string, format: Format, stderr = openStderr): TroubleReport {
  let output: Destination | undefined
  let lastCause: unknown
  /** Records dropped and not yet told. */
  let dropped = 0
  let total = 0
  let lastAt = 0
  let pending = false
  let timer: NodeJS.Timeout | undefined

  const write = (record: LogRecord) => {
    output ??= stderr()
    output.write(formatLine(record, format))
  }
  const log = createLog({ level: 'debug', write })
  const tell = () => {
    log.emit('LOG_WRITE_FAILED', { destination: name, dropped }, { cause: lastCause })
    pending = false
    dropped = 0
    lastCause = undefined
  }
  const soon = () => {
    pending = true
    if (timer !== undefined) return
    tell()
    timer = setTimeout(() => {
      timer = undefined
      if (pending) soon()
    }, REPORT_EVERY_MS).unref()
  }

  const miss = (count: number) => {
    dropped += count
    total += count
    if (count > 0) processCounters.add([['containerssh_log_missing_records_total', ['dropped'], count]])
    lastAt = Date.now()
  }

  return {
    failed(cause, lost = 0) {
      lastCause = cause
      miss(lost)
      soon()
    },
    dropped() {
      miss(1)
      soon()
    },
    echo(record) {
      if (Date.now() - lastAt < REPORT_EVERY_MS) write(record)
    },
    get total() {
      return total
    },
    get lastAt() {
      return lastAt
    },
    close(lost) {
      clearTimeout(timer)
      miss(lost)
      if (pending || lost > 0) tell()
      output?.close(100)
    },
  }
}

function openStderr(): Destination {
  // There is nobody left to tell that standard error fails as well.
  return descriptor({ name: 'stderr', open: () => openStandard(2), trouble: () => undefined, queueBytes: QUEUE_BYTES })
}
