/** The end of the log, as the configuration wants it. Used by the primary only. */
import { hostname } from 'node:os'
import { fault } from '../codes/fault.ts'
import { createLog, type Level, type LogRecord } from '../log.ts'
import { descriptor } from './descriptor.ts'
import { DATAGRAM_BYTES, type Destination } from './destination.ts'
import { type Format, formatBody, formatLine } from './format.ts'
import { isJournal, type JournalConfig, journal } from './journal.ts'
import { levels } from './level.ts'
import { openFile, openStandard } from './open.ts'
import { createOutlet, type Output } from './outlet.ts'
import { fitting } from './shorten.ts'
import { isWrongType, type StreamTarget, syslogStream } from './syslog.ts'
import { type Facility, formatSyslog, type Protocol, type SyslogHeader, syslogTag } from './syslog-format.ts'
import { parseSyslogTarget } from './syslog-target.ts'
import { type TroubleReport, troubleReport } from './trouble.ts'
import { udp } from './udp.ts'
import { unixDatagram } from './unix-datagram.ts'
import { datagramAddon } from './unix-dgram.ts'

export type { Output } from './outlet.ts'

/** The `log` section of the configuration. */
export interface LogConfig {
  readonly level: Level
  readonly format: Format
  readonly destination: 'stdout' | 'file' | 'syslog' | 'journald'
  readonly file: string
  readonly syslog: {
    readonly destination: string
    readonly facility: Facility
    readonly tag: string
    readonly pid: boolean
    readonly protocol: Protocol
    readonly enterpriseId: number
  }
  readonly journald: JournalConfig
  readonly queueBytes: number
  readonly flood: { readonly records: number; readonly interval: number }
}

/**
 * Opens the configured destination.
 * @throws Fault `LOG_FILE_OPEN_FAILED` for a file, `CORE_CONFIG_ERROR` for a socket that cannot be reached
 */
export async function openOutput(config: LogConfig): Promise<Output> {
  if (config.destination === 'file') return openFileOutput(config)
  if (config.destination === 'syslog') return await openSyslogOutput(config)
  if (config.destination === 'journald') return openJournalOutput(config)
  return openStdoutOutput(config)
}

type StandardConfig = Pick<LogConfig, 'format' | 'level' | 'queueBytes' | 'flood'>

/** Standard output or error, before there is a configuration or instead of its destination. Not rotated. */
export function openStandardOutput(
  fd: 1 | 2,
  config: StandardConfig,
  render: (record: LogRecord) => string = lines(config.format),
): Output {
  const name = fd === 1 ? 'stdout' : 'stderr'
  const report = troubleReport(name, config.format)
  const open = () => openStandard(fd)
  const destination = descriptor({ name, open, trouble: report.failed, queueBytes: config.queueBytes })
  return createOutlet({ ...config, destination, report, render, rotates: false })
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
  const destination = descriptor({ name: file, open, trouble: report.failed, queueBytes: config.queueBytes })
  return createOutlet({ ...config, destination, report, render: lines(config.format) })
}

const lines = (format: Format) => (record: LogRecord) => formatLine(record, format)

/** If it is the journal's, with fields. Where that cannot be, the journal at least learns the level (sd-daemon(3)). */
function openStdoutOutput(config: LogConfig): Output {
  if (!config.journald.fields || !isJournal(1)) return openStandardOutput(1, config)
  const line = lines(config.format)
  try {
    return openJournal(config, (record) => line(record).slice(0, -1))
  } catch (cause) {
    const output = openStandardOutput(1, config, (record) => `<${levels[record.level]}>${line(record)}`)
    createLog({ level: config.level, write: output.write }).emit('LOG_JOURNAL_PLAIN', {}, { cause })
    return output
  }
}

function openJournalOutput(config: LogConfig): Output {
  try {
    return openJournal(config, (record) => formatBody(record, config.format))
  } catch (cause) {
    throw fault('CORE_CONFIG_ERROR', { option: 'log.journald.socket' }, { cause })
  }
}

function openJournal(config: LogConfig, message: (record: LogRecord) => string): Output {
  const report = troubleReport(config.journald.socket, config.format)
  const { destination, render } = journal(config.journald, message, report.failed, config.queueBytes)
  return createOutlet({ ...config, destination, report, render })
}

async function openSyslogOutput(config: LogConfig): Promise<Output> {
  try {
    return await openSyslog(config)
  } catch (cause) {
    throw fault('CORE_CONFIG_ERROR', { option: 'log.syslog.destination' }, { cause })
  }
}

async function openSyslog(config: LogConfig): Promise<Output> {
  const { syslog, queueBytes, format } = config
  const name = syslog.destination
  const target = parseSyslogTarget(name)
  if (target === undefined) throw new Error(`${name} is neither a path nor host:port`)
  const report = troubleReport(name, format)
  const header = { ...syslog, pid: syslog.pid ? process.pid : undefined, hostname: hostname() }
  const options = { name, trouble: report.failed, queueBytes }
  if (target.transport === 'udp') return datagrams(config, report, header, await udp({ ...options, ...target }))
  const addon = datagramAddon()
  if (target.transport === 'unix' && addon !== undefined) {
    try {
      return datagrams(config, report, header, unixDatagram({ ...options, ...target, addon }))
    } catch (error) {
      if (!isWrongType(error)) throw error
    }
  }
  const tag = syslog.protocol === 'rfc3164' ? syslogTag(syslog.tag, header.pid) : undefined
  const destination = await syslogStream({ ...options, target, tag })
  const render = (record: LogRecord) => framed(formatSyslog(record, format, header), target)
  return createOutlet({ ...config, destination, report, render, drains: true })
}

/** Of the BSD style, messages end with a newline in datagrams, too, as those of ContainerSSH do. */
function datagrams(config: LogConfig, report: TroubleReport, header: SyslogHeader, destination: Destination<Buffer>) {
  const end = header.protocol === 'rfc3164' ? '\n' : ''
  const frame = (record: LogRecord) => Buffer.from(formatSyslog(record, config.format, header) + end)
  const render = (record: LogRecord) => fitting(record, DATAGRAM_BYTES, frame)
  return createOutlet({ ...config, destination, report, render, drains: true })
}

/** On TCP messages are counted (RFC 6587 section 3.4.1); on a UNIX socket each is a line. */
const framed = (message: string, { transport }: StreamTarget): string =>
  transport === 'tcp' ? `${Buffer.byteLength(message)} ${message}` : `${message}\n`
