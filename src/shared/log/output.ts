/** The end of the log: formats records and gives them to their destination. Used by the primary only. */
import { fault } from '../codes/fault.ts'
import { createLog, type Level, type LogRecord } from '../log.ts'
import { descriptor } from './descriptor.ts'
import type { Destination } from './destination.ts'
import { type Format, formatLine } from './format.ts'
import { openFile, openStandard } from './open.ts'
import { syslog } from './syslog.ts'
import { type Facility, formatSyslog, syslogTag } from './syslog-format.ts'
import { type TroubleReport, troubleReport } from './trouble.ts'

/** The `log` section of the configuration. */
export interface LogConfig {
  readonly level: Level
  readonly format: Format
  readonly destination: 'stdout' | 'file' | 'syslog'
  readonly file: string
  readonly syslog: {
    readonly destination: string
    readonly facility: Facility
    readonly tag: string
    readonly pid: boolean
  }
}

export interface Output {
  /** Never throws, never blocks. What the destination cannot take is queued, and dropped when the queue is full. */
  write(record: LogRecord): void
  /** For SIGHUP: opens the file or socket again. Never rejects: a failure is a record in the old destination. */
  rotate(): Promise<void>
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

/**
 * Opens the configured destination.
 * @throws Fault `LOG_FILE_OPEN_FAILED` for a file, `CORE_CONFIG_ERROR` for a syslog socket that cannot be reached
 */
export async function openOutput(config: LogConfig): Promise<Output> {
  if (config.destination === 'stdout') return openStandardOutput(1, config)
  if (config.destination === 'file') return openFileOutput(config)
  return await openSyslogOutput(config)
}

/** Standard output or error, before there is a configuration or instead of its destination. Not rotated. */
export function openStandardOutput(fd: 1 | 2, config: Pick<LogConfig, 'format' | 'level'>): Output {
  const name = fd === 1 ? 'stdout' : 'stderr'
  const report = troubleReport(name, config.format)
  const open = () => openStandard(fd)
  const destination = descriptor({ name, open, trouble: report.failed })
  return makeOutput({ destination, report, level: config.level, render: lines(config.format), rotates: false })
}

function openFileOutput(config: LogConfig): Output {
  const file = config.file
  const report = troubleReport(file, config.format)
  const open = () => {
    try {
      return openFile(file)
    } catch (cause) {
      throw fault('LOG_FILE_OPEN_FAILED', { file }, { cause })
    }
  }
  const destination = descriptor({ name: file, open, trouble: report.failed })
  return makeOutput({ destination, report, level: config.level, render: lines(config.format) })
}

async function openSyslogOutput(config: LogConfig): Promise<Output> {
  const { destination: target, facility, pid } = config.syslog
  const tag = syslogTag(config.syslog.tag, pid ? process.pid : undefined)
  const report = troubleReport(target, config.format)
  const render = (record: LogRecord) => formatSyslog(record, config.format, { facility, tag })
  try {
    const destination = await syslog(target, tag, report.failed)
    return makeOutput({ destination, report, level: config.level, render })
  } catch (cause) {
    throw fault('CORE_CONFIG_ERROR', { option: 'log.syslog.destination' }, { cause })
  }
}

const lines = (format: Format) => (record: LogRecord) => formatLine(record, format)

interface Parts {
  readonly destination: Destination
  readonly report: TroubleReport
  readonly level: Level
  /** Standard output has nothing to open again. */
  readonly rotates?: boolean
  render(record: LogRecord): string
}

function makeOutput({ destination, report, level, render, rotates = true }: Parts): Output {
  let dropped = 0
  let closed = false
  let rotation: Promise<void> | undefined

  const write = (record: LogRecord) => {
    if (destination.write(render(record))) return
    dropped++
    if (!closed) report.dropped()
  }
  const log = createLog({ level, write })

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
    close(limitMs = CLOSE_MS) {
      if (closed) return
      closed = true
      const lost = destination.close(limitMs)
      dropped += lost
      report.close(lost)
    },
    get dropped() {
      return dropped
    },
    get queuedBytes() {
      return destination.queuedBytes
    },
  }
}
