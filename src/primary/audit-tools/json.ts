/** A record as the line of JSON that the Go program's decoder prints for it: same keys, same order, same escapes. */
import { catalogue, type FieldKind, type Fields, items } from '../../shared/audit/catalogue.ts'
import type { AuditRecord, Facts } from '../../shared/audit/record.ts'
import { timeText } from './time-text.ts'

type Plain = Readonly<Record<string, unknown>>

/**
 * `compat`: the handshake messages are called `invalid`, which is all that the Go program says; `time`: with a readable
 * time beside the number.
 */
export type LineStyle = 'ours' | 'compat' | 'time'

/** Without the newline. */
export function jsonLine(record: AuditRecord, style: LineStyle): string {
  const { number, name, payload } = catalogue[record.type]
  const isNamed = style !== 'compat' || (record.type !== 'handshake_failed' && record.type !== 'handshake_successful')
  const parts = [
    `"connectionId":${goString(record.connectionId)}`,
    `"timestamp":${record.timestamp}`,
    ...(style === 'time' ? [`"time":"${timeText(record.timestamp)}"`] : []),
    `"type":${number}`,
    `"typeId":${goString(isNamed ? record.type : 'invalid')}`,
    `"typeName":${goString(isNamed ? name : 'invalid')}`,
    `"payload":${payload === null ? 'null' : structure(payload, record.payload as Plain)}`,
    `"channelId":${record.channelId}`,
    ...(record.facts === undefined || style === 'compat' ? [] : [`"facts":${goString(record.facts)}`]),
  ]
  return `{${parts.join(',')}}`
}

/** A line that says what is wrong. */
export const jsonError = (text: string): string => `{"error":${goString(text)}}`

const structure = (fields: Fields, values: Plain): string =>
  `{${Object.entries(fields)
    .map(([name, kind]) => `"${name}":${json(kind, values[name])}`)
    .join(',')}}`

function json(kind: FieldKind, value: unknown): string {
  if (value === null) return 'null'
  switch (kind) {
    case 'text':
      return goString(value as string)
    case 'bytes':
      return `"${base64(value as Uint8Array)}"`
    case 'questions':
    case 'answers':
      return `[${(value as readonly Plain[]).map((item) => structure(items[kind], item)).join(',')}]`
    case 'uint64':
    case 'uint32':
    case 'bool':
      return String(value)
    default:
      throw new Error(kind satisfies never)
  }
}

const base64 = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString('base64')

/** Go's encoder escapes also what would be dangerous in HTML and in JavaScript. */
const goString = (value: string | Facts): string =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
