/** Syslog messages: BSD style (RFC 3164 section 4.1 without the host name, as local sockets have it), and RFC 5424. */
import type { LogRecord } from '../log.ts'
import { clock, type Format, formatBody, printable, timestamp } from './format.ts'
import { levels } from './level.ts'

/** By number (RFC 5424 section 6.2.1). */
export const facilities = [
  ...(['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'] as const),
  ...(['ntp', 'logaudit', 'logalert', 'clock', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5'] as const),
  ...(['local6', 'local7'] as const),
] as const
export type Facility = (typeof facilities)[number]
export const protocols = ['rfc3164', 'rfc5424'] as const
export type Protocol = (typeof protocols)[number]

export interface SyslogHeader {
  readonly protocol: Protocol
  readonly facility: Facility
  /** Name of the program. */
  readonly tag: string
  readonly pid: number | undefined
  /** RFC 5424 only. */
  readonly hostname: string
  /** RFC 5424 only: 0 for no structured data, else who gives the name of the element its meaning (section 7.2.2). */
  readonly enterpriseId: number
}

export const DEFAULT_TAG = 'ContainerSSH'

/** The tag of BSD style messages; an empty one falls back to our name. */
export const syslogTag = (tag: string, pid?: number): string =>
  `${tag === '' ? DEFAULT_TAG : tag}${pid === undefined ? '' : `[${pid}]`}`

export const priority = (facility: Facility, record: LogRecord): number =>
  facilities.indexOf(facility) * 8 + levels[record.level]

/** One message, without anything that separates it from the next one. */
export const formatSyslog = (record: LogRecord, format: Format, header: SyslogHeader): string =>
  `<${priority(header.facility, record)}>${header.protocol === 'rfc5424' ? modern(record, format, header) : bsd(record, format, header)}`

function bsd(record: LogRecord, format: Format, { tag, pid }: SyslogHeader): string {
  const date = new Date(record.time)
  const day = `${MONTHS[date.getMonth()]} ${String(date.getDate()).padStart(2, ' ')}`
  return `${day} ${clock(date)} ${syslogTag(tag, pid)}: ${formatBody(record, format)}`
}
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

/** RFC 5424 section 6, after the priority. MSGID is the code. */
function modern(record: LogRecord, format: Format, header: SyslogHeader): string {
  const pid = header.pid === undefined ? '-' : header.pid
  const names = `${word(header.hostname, 255)} ${word(syslogTag(header.tag), 48)} ${pid} ${word(record.code, 32)}`
  const body = formatBody(record, format)
  // Section 6.4: text in UTF-8 begins with a byte order mark. ASCII needs none, and many receivers show it.
  const mark = NOT_ASCII.test(body) ? '\ufeff' : ''
  return `1 ${preciseTime(record.time)} ${names} ${structuredData(record, header.enterpriseId)} ${mark}${body}`
}
const NOT_ASCII = /[^\p{ASCII}]/u

/** Section 6.2.3: the time stamp of our lines, with milliseconds. */
function preciseTime(time: number): string {
  const seconds = timestamp(time)
  const at = 'yyyy-mm-ddThh:mm:ss'.length
  const ms = String(Math.floor(time) % 1000).padStart(3, '0')
  return `${seconds.slice(0, at)}.${ms}${seconds.slice(at)}`
}

/** Printable ASCII without blanks (section 6), `-` for nothing. */
const word = (text: string, longest: number): string => text.slice(0, longest).replaceAll(/[^!-~]/g, '_') || '-'

/** The labels as one element (section 6.3). */
function structuredData({ labels }: LogRecord, enterpriseId: number): string {
  const names = Object.keys(labels).sort()
  if (enterpriseId === 0 || names.length === 0) return '-'
  const parameters = names.map((name) => {
    const value = printable(String(labels[name])).replaceAll(/["\\\]]/g, '\\$&')
    return ` ${word(name, 32).replaceAll(/[="\]]/g, '_')}="${value}"`
  })
  return `[containerssh@${enterpriseId}${parameters.join('')}]`
}
