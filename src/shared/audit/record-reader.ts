/** Decompressed content, in pieces cut anywhere, to records. Holds one record beside the piece in hand, never more. */
import { kindAt } from './cbor-cursor.ts'
import { breakByte, createItemScanner, majors, NotCborError, TooLargeError } from './cbor-scan.ts'
import type { Problem } from './problem.ts'
import { named, type ReadRecord, RecordError, readRecord } from './read-record.ts'
import type { AuditRecord } from './record.ts'

/** The largest record that is read. A block of I/O has up to 32 KiB, an SSH packet at most 256 KiB. */
export const mostRecordBytes = 4 * 1024 * 1024

export type Decoded =
  /** First of all. */
  | { readonly kind: 'header'; readonly version: 1 | 2 }
  | ({ readonly kind: 'record' } & ReadRecord)
  | { readonly kind: 'problem'; readonly problem: Problem; readonly field?: string | undefined }

export interface MessagePlace {
  /** Byte of the file at which the compressed member begins that the message ends in. */
  readonly member: number
  /** Byte of the decompressed content. */
  readonly content: number
}
/** Sees the bytes of each message that could be read, which are only lent. */
export type Watch = (message: Buffer, place: MessagePlace, record: AuditRecord) => void

export interface RecordReader {
  /** `member`: byte of the file at which the compressed member begins that the piece is from. */
  push(piece: Buffer, member: number): readonly Decoded[]
  /** Nothing more comes. `offset`: the file's length. */
  end(offset: number): readonly Decoded[]
  /** Nothing more can be read. */
  readonly hasFailed: boolean
}

type Phase = 'array' | 'records' | 'complete' | 'failed'

/** Version 1 has one array around all records. */
export function createRecordReader(version: 1 | 2, watch?: Watch): RecordReader {
  const held = createHeld()
  const scanner = createItemScanner(mostRecordBytes)
  let phase: Phase = version === 1 ? 'array' : 'records'
  /** Of version 1: how many are still to come; undefined: until a break. */
  let left: number | undefined
  let member = 0
  /** Bytes of the content before what is held. */
  let before = 0
  let decoded: Decoded[] = []

  const report = (problem: Omit<Problem, 'offset' | 'content'>, field?: string): void => {
    decoded.push({ kind: 'problem', problem: { ...problem, offset: member, content: before }, field })
    if (problem.final) phase = 'failed'
  }
  const advance = (count: number): void => {
    held.drop(count)
    before += count
  }
  /** False: more bytes are needed. */
  const readArrayHead = (): boolean => {
    const { bytes, from } = held.view()
    const initial = bytes[from]
    if (initial === undefined) return false
    const info = initial & 0x1f
    const isArray = initial >> 5 === majors.array && (info <= 27 || initial === 0x9f)
    if (!isArray) {
      report({ kind: 'not-an-array', expected: 'an array of messages', found: itemAt(bytes, from), final: true })
      return false
    }
    const width = info < 24 || initial === 0x9f ? 0 : 1 << (info - 24)
    if (bytes.length < from + 1 + width) return false
    if (initial !== 0x9f) left = width === 0 ? info : Number(`0x${bytes.toString('hex', from + 1, from + 1 + width)}`)
    advance(1 + width)
    phase = 'records'
    return true
  }
  /** False: more bytes are needed, or nothing more is to come. */
  const readNext = (): boolean => {
    const { bytes, from } = held.view()
    if (version === 1 && (left === 0 || (left === undefined && bytes[from] === breakByte))) {
      phase = 'complete'
      return false
    }
    if (bytes.length === from) return false
    const length = measured(bytes, from)
    if (length === undefined) return false
    try {
      const read = readRecord(bytes, from)
      watch?.(bytes.subarray(from, from + length), { member, content: before }, read.record)
      decoded.push({ kind: 'record', ...read })
    } catch (error) {
      if (!(error instanceof RecordError)) throw error
      // What is no map at all is no message that went wrong: the rest is no better.
      const final = error.kind === 'not-a-map'
      report({ kind: error.kind, expected: error.expected, found: error.found, final }, error.field)
      if (final) return false
    }
    if (left !== undefined) left--
    advance(length)
    return true
  }
  const measured = (bytes: Buffer, from: number): number | undefined => {
    try {
      return scanner.scan(bytes, from)
    } catch (error) {
      if (error instanceof NotCborError) {
        report({ kind: 'not-cbor', expected: 'a message in CBOR', found: error.message, final: true })
      } else if (error instanceof TooLargeError) {
        const expected = `a message of at most ${mostRecordBytes} bytes`
        report({ kind: 'too-large', expected, found: 'a larger one', final: true })
      } else throw error
      return undefined
    }
  }
  const taken = (): readonly Decoded[] => {
    const all = decoded
    decoded = []
    return all
  }
  return {
    push(piece, from) {
      member = from
      if (phase === 'complete' || phase === 'failed') return []
      held.add(piece)
      if (phase !== 'array' || readArrayHead()) while (readNext());
      held.keep()
      return taken()
    },
    end(offset) {
      if (phase === 'complete' || phase === 'failed') return []
      const rest = held.size
      if (rest === 0 && version === 2) return []
      member = offset
      const expected = rest > 0 ? 'the rest of a message' : 'the end of the array of messages'
      const found = rest > 0 ? `the end of the file after ${rest} bytes of it` : 'the end of the file'
      decoded.push({ kind: 'problem', problem: { kind: 'truncated', offset, expected, found, final: true } })
      phase = 'failed'
      return taken()
    },
    get hasFailed() {
      return phase === 'failed'
    },
  }
}

const itemAt = (bytes: Buffer, at: number): string => named(kindAt({ bytes, at }))

/** Bytes that wait for the rest of their record. A piece is used where it lies until only a part of a record is left of it. */
function createHeld() {
  let bytes: Buffer = Buffer.alloc(0)
  let from = 0
  /** Ours, with room behind: pieces are appended to it. */
  let room: Buffer = Buffer.alloc(0)
  let isOurs = false
  const append = (piece: Buffer): void => {
    const size = bytes.length - from
    if (!isOurs || bytes.length + piece.length > room.length) {
      const larger = Buffer.allocUnsafeSlow((size + piece.length) * 2)
      bytes.copy(larger, 0, from)
      room = larger
      from = 0
      isOurs = true
    }
    room.set(piece, from + size)
    bytes = room.subarray(0, from + size + piece.length)
  }
  return {
    view: () => ({ bytes, from }),
    add(piece: Buffer): void {
      if (bytes.length > from) append(piece)
      else {
        bytes = piece
        from = 0
        isOurs = false
      }
    },
    drop(count: number): void {
      from += count
    },
    /** The piece given last may be used again by its owner. */
    keep(): void {
      if (bytes.length === from) {
        bytes = room = Buffer.alloc(0)
        from = 0
        isOurs = false
      } else if (!isOurs) append(Buffer.alloc(0))
    },
    get size() {
      return bytes.length - from
    },
  }
}
