/** Between the log and a destination: what becomes of each record, of floods, and of what had to be dropped. */
import { sleep } from '../deadline.ts'
import { createLog, type Level, type LogRecord } from '../log.ts'
import { processCounters } from '../metric.ts'
import { type Destination, RETRY_MS } from './destination.ts'
import { floodGate } from './flood.ts'
import { levels } from './level.ts'
import type { TroubleReport } from './trouble.ts'

export interface Output {
  /** Never throws, never blocks. What the destination cannot take is queued, and dropped when the queue is full. */
  write(record: LogRecord): void
  /** For SIGHUP: opens the file or socket again. Never rejects: a failure is a record in the old destination. */
  rotate(): Promise<void>
  /** Before close(), where there is time: waits until a connection has taken what is queued, but not longer than close(). */
  drain(): Promise<void>
  /**
   * Writes what is queued, synchronously, and closes. Idempotent.
   * @param limitMs time for a slow reader; a hung disk cannot be interrupted
   */
  close(limitMs?: number): void
  /** Records dropped since the start. */
  readonly dropped: number
  /** Bytes that wait. */
  readonly queuedBytes: number
}

const CLOSE_MS = 2000
const LOOK_MS = 10

export interface OutletOptions<T> {
  readonly destination: Destination<T>
  readonly report: TroubleReport
  readonly level: Level
  readonly flood: { readonly records: number; readonly interval: number }
  readonly queueBytes: number
  /** Standard output has nothing to open again. */
  readonly rotates?: boolean
  /** A connection is written to by the event loop, all else by close() itself. */
  readonly drains?: boolean
  render(record: LogRecord): T
}

export function createOutlet<T>(options: OutletOptions<T>): Output {
  const { destination, report, render, rotates = true, drains = false } = options
  /** Of the records dropped, those that the log itself has been told of. */
  let told = 0
  let closed = false
  let rotation: Promise<void> | undefined

  const write = (record: LogRecord) => {
    if (closed || !gate.admits(record)) return
    if (report.total > told && isWell()) tellDropped()
    if (!destination.write(render(record))) report.dropped()
    if (levels[record.level] <= levels.error) report.echo(record)
  }
  const log = createLog({ level: options.level, write })
  const gate = floodGate({
    records: options.flood.records,
    intervalMs: options.flood.interval,
    tell({ level, code, source, count }) {
      processCounters.add([['containerssh_log_missing_records_total', ['suppressed'], count]])
      log.emit('LOG_RECORDS_SUPPRESSED', { suppressed: code, source, count }, { level })
    },
  })
  /** Room again, and no failure since the destination was last tried. */
  const isWell = (): boolean =>
    destination.queuedBytes <= options.queueBytes / 2 && Date.now() - report.lastAt > RETRY_MS[0]
  const tellDropped = (): void => {
    const dropped = report.total - told
    told = report.total
    log.emit('LOG_RECORDS_DROPPED', { destination: destination.name, dropped })
  }

  const reopen = async () => {
    try {
      await destination.reopen()
    } catch (cause) {
      log.emit('LOG_ROTATE_FAILED', { file: destination.name }, { cause })
    } finally {
      rotation = undefined
    }
  }

  return {
    write,
    async rotate() {
      if (closed || !rotates) return
      rotation ??= reopen()
      await rotation
    },
    async drain() {
      const deadline = Date.now() + CLOSE_MS
      gate.close()
      while (drains && !closed && destination.queuedBytes > 0 && Date.now() < deadline) await sleep(LOOK_MS)
    },
    close(limitMs = CLOSE_MS) {
      if (closed) return
      gate.close()
      if (report.total > told && isWell()) tellDropped()
      closed = true
      report.close(destination.close(limitMs))
    },
    get dropped() {
      return report.total
    },
    get queuedBytes() {
      return destination.queuedBytes
    },
  }
}
