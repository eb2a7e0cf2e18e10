/** BSD style syslog frames (RFC 3164 section 4.1 without the host name, as local sockets have it). */
import type { LogRecord } from '../log.ts'
import { clock, type Format, formatBody } from './format.ts'
import { levels } from './level.ts'

/** By number (RFC 5424 section 6.2.1). */
export const facilities = [
  ...(['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'] as const),
  ...(['ntp', 'logaudit', 'logalert', 'clock', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5'] as const),
  ...(['local6', 'local7'] as const),
] as const
export type Facility = (typeof facilities)[number]

export interface SyslogHeader {
  readonly facility: Facility
  /** Tag and, if wanted, `[pid]`. */
  readonly tag: string
}

export const DEFAULT_TAG = 'ContainerSSH'

/** The tag of all frames; an empty one falls back to our name. */
export const syslogTag = (tag: string, pid?: number): string =>
  `${tag === '' ? DEFAULT_TAG : tag}${pid === undefined ? '' : `[${pid}]`}`

export const priority = (facility: Facility, record: LogRecord): number =>
  facilities.indexOf(facility) * 8 + levels[record.level]

/** One frame with its newline. */
export function formatSyslog(record: LogRecord, format: Format, header: SyslogHeader): string {
  const date = new Date(record.time)
  const day = `${MONTHS[date.getMonth()]} ${String(date.getDate()).padStart(2, ' ')}`
  return `<${priority(header.facility, record)}>${day} ${clock(date)} ${header.tag}: ${formatBody(record, format)}\n`
}
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const
