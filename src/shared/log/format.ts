/** The line formats of stdout and file, byte for byte those of ContainerSSH, as pure functions. */
import type { Labels, LogRecord } from '../log.ts'

export type Format = 'ljson' | 'text'

/** One line with its newline. */
export function formatLine(record: LogRecord, format: Format): string {
  const stamp = timestamp(record.time)
  if (format === 'text') return `${stamp}\t${record.level}\t${textBody(record)}\n`
  const level = jsonString(record.level)
  return `{"timestamp":"${stamp}","level":${level},${jsonMembers(record)}}\n`
}

/** What follows the syslog header: without time and level, which the header has. */
export const formatBody = (record: LogRecord, format: Format): string =>
  format === 'text' ? textBody(record) : `{${jsonMembers(record)}}`

function jsonMembers(record: LogRecord): string {
  const { code, message, labels } = record
  let details = ''
  for (const name of Object.keys(labels).sort()) {
    details += `${details === '' ? '' : ','}${jsonString(name)}:${jsonValue(labels[name])}`
  }
  return `"code":${jsonString(code)},"message":${jsonString(message)},"details":{${details}}`
}

function jsonValue(value: Labels[string] | undefined): string {
  return typeof value === 'string' ? jsonString(value) : (JSON.stringify(value) ?? 'null')
}

/** As Go's encoding/json writes it, so that a line may stand in HTML and in JavaScript source. */
function jsonString(text: string): string {
  const json = JSON.stringify(text)
  return NOT_AS_IS.test(json) ? json.replace(EACH_NOT_AS_IS, unicodeEscape) : json
}
const NOT_AS_IS = /[<>&\u2028\u2029]/
const EACH_NOT_AS_IS = new RegExp(NOT_AS_IS, 'g')

function textBody(record: LogRecord): string {
  const names = Object.keys(record.labels).sort()
  const message = printable(record.message)
  if (names.length === 0) return message
  const pairs = names.map((name) => `${printable(name)}=${printable(String(record.labels[name]))}`)
  return `${message} (${pairs.join(' ')})`
}

/**
 * Text that cannot begin a new line or field, nor steer a terminal: control characters, line separators, the marks that
 * reverse the direction of writing, and lone surrogates are written as escapes.
 */
export function printable(text: string): string {
  return UNPRINTABLE.test(text) ? text.replace(EACH_UNPRINTABLE, escapeUnprintable) : text
}
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u
const EACH_UNPRINTABLE = new RegExp(UNPRINTABLE, 'gu')
const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])
const escapeUnprintable = (character: string): string => SHORT_ESCAPES.get(character) ?? unicodeEscape(character)

const unicodeEscape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/**
 * RFC 3339 with whole seconds in the local time zone: `Z`, or the offset.
 * @param time milliseconds since 1970
 */
export function timestamp(time: number): string {
  const second = Math.floor(time / 1000)
  if (second !== cachedSecond) {
    cachedSecond = second
    cachedStamp = makeTimestamp(new Date(second * 1000))
  }
  return cachedStamp
}
// Many records share a second, and asking for the local time is the dearest part of a line.
let cachedSecond = Number.NaN
let cachedStamp = ''

function makeTimestamp(date: Date): string {
  const day = `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  const east = -date.getTimezoneOffset()
  const offset = `${east < 0 ? '-' : '+'}${pad(Math.floor(Math.abs(east) / 60))}:${pad(Math.abs(east) % 60)}`
  return `${day}T${clock(date)}${east === 0 ? 'Z' : offset}`
}

/** `HH:MM:SS`, local time. */
export const clock = (date: Date): string =>
  `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`

const pad = (number: number, width = 2): string => String(number).padStart(width, '0')
