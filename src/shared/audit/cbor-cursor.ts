/** Reads the parts of one CBOR item that is known to be whole and well-formed (see cbor-scan.ts). */
import { breakByte, indefinite, majors, unsignedAt } from './cbor-scan.ts'
import type { Uint64 } from './record.ts'

export interface Text {
  readonly text: string
  /** The text as it is stored, if that is not UTF-8. */
  readonly invalid?: Uint8Array
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const tolerant = new TextDecoder('utf-8', { ignoreBOM: true })
const longestAscii = 64

export interface Cursor {
  at: number
  readonly bytes: Buffer
}

/** Type of the next item, with tags before it skipped; null for null and undefined. */
export type ItemKind =
  | 'unsigned'
  | 'negative'
  | 'bytes'
  | 'text'
  | 'array'
  | 'map'
  | 'bool'
  | 'float'
  | 'simple'
  | 'null'

export function kindAt(cursor: Cursor): ItemKind {
  let initial = cursor.bytes[cursor.at] ?? breakByte
  while (initial >> 5 === majors.tag) {
    argument(cursor)
    initial = cursor.bytes[cursor.at] ?? breakByte
  }
  const kind = (['unsigned', 'negative', 'bytes', 'text', 'array', 'map'] as const)[initial >> 5]
  if (kind !== undefined) return kind
  const info = initial & 0x1f
  if (info === 20 || info === 21) return 'bool'
  if (info === 22 || info === 23) return 'null'
  return info >= 25 && info <= 27 ? 'float' : 'simple'
}

/** The argument of a head, not exact above 2^53; undefined: the item ends with a break. */
export function argument(cursor: Cursor): number | undefined {
  const info = (cursor.bytes[cursor.at++] ?? 0) & 0x1f
  if (info === indefinite) return undefined
  if (info < 24) return info
  const width = 1 << (info - 24)
  const value = unsignedAt(cursor.bytes, cursor.at, width)
  cursor.at += width
  return value
}

/** The argument of an integer. */
export function integer(cursor: Cursor): Uint64 {
  const start = cursor.at
  const value = argument(cursor) ?? 0
  if (value <= Number.MAX_SAFE_INTEGER) return value
  return cursor.bytes.readBigUInt64BE(start + 1)
}

export function bool(cursor: Cursor): boolean {
  return (cursor.bytes[cursor.at++] ?? 0) === 0xf5
}

/** A byte string or a text string, by reference if it is in one part. */
export function string(cursor: Cursor): Buffer {
  const length = argument(cursor)
  if (length !== undefined) {
    cursor.at += length
    return cursor.bytes.subarray(cursor.at - length, cursor.at)
  }
  const parts: Buffer[] = []
  while (!atBreak(cursor)) parts.push(string(cursor))
  return Buffer.concat(parts)
}

export function text(cursor: Cursor): Text {
  const bytes = string(cursor)
  // For a short text the decoder costs more than its bytes.
  if (bytes.length <= longestAscii && isAscii(bytes)) return { text: bytes.toString('latin1') }
  try {
    return { text: strict.decode(bytes) }
  } catch {
    return { text: tolerant.decode(bytes), invalid: Uint8Array.from(bytes) }
  }
}

const isAscii = (bytes: Uint8Array): boolean => {
  for (const byte of bytes) if (byte > 0x7f) return false
  return true
}

/** Consumes a break if there is one. */
export function atBreak(cursor: Cursor): boolean {
  if (cursor.bytes[cursor.at] !== breakByte) return false
  cursor.at++
  return true
}

/** Calls `each` in front of every element of an array, or every key of a map; it must consume it, and the key's value. */
export function eachOf(cursor: Cursor, each: () => void): void {
  const count = argument(cursor)
  if (count === undefined) while (!atBreak(cursor)) each()
  else for (let left = count; left > 0; left--) each()
}

/** Recursion is bounded by the scanner's limit of levels. */
export function skip(cursor: Cursor): void {
  switch (kindAt(cursor)) {
    case 'bytes':
    case 'text':
      string(cursor)
      return
    case 'array':
      eachOf(cursor, () => skip(cursor))
      return
    case 'map':
      eachOf(cursor, () => {
        skip(cursor)
        skip(cursor)
      })
      return
    default:
      argument(cursor)
  }
}
