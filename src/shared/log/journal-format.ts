/** Entries of systemd's journal in its native protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ */
import type { LogRecord } from '../log.ts'
import { timestamp } from './format.ts'
import { levels } from './level.ts'

/** One entry: the message, what syslog would know, and a field for the code and for each label. */
export function journalEntry(record: LogRecord, message: string, identifier: string): Buffer {
  const fields = [
    field('MESSAGE', message),
    field('PRIORITY', String(levels[record.level])),
    field('SYSLOG_IDENTIFIER', identifier),
    field('SYSLOG_TIMESTAMP', timestamp(record.time)),
    field('CONTAINERSSH_CODE', record.code),
  ]
  for (const [name, value] of Object.entries(record.labels)) fields.push(field(fieldName(name), String(value)))
  return Buffer.concat(fields)
}

/** `connectionId` is CONTAINERSSH_CONNECTION_ID. A field's name has capitals, digits and underscores, 64 at most. */
const fieldName = (label: string): string =>
  `CONTAINERSSH_${label.replaceAll(/([a-z0-9])(?=[A-Z])/g, '$1_').replaceAll(/[^A-Za-z0-9]/g, '_')}`
    .toUpperCase()
    .slice(0, 64)

/** Values of more than one line have their length before them: 64 bits, little endian. */
function field(name: string, value: string): Buffer {
  if (!value.includes('\n')) return Buffer.from(`${name}=${value}\n`)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(value)))
  return Buffer.concat([Buffer.from(`${name}\n`), length, Buffer.from(`${value}\n`)])
}
