/** Messages in content of which parts may be missing or changed. */

import * as cbor from './cbor-cursor.ts'
import { breakByte, createItemScanner, majors, NotCborError, TooLargeError } from './cbor-scan.ts'
import { gapOf } from './problem.ts'
import { type ReadRecord, RecordError, readRecord } from './read-record.ts'
import { type Decoded, mostRecordBytes } from './record-reader.ts'

export interface MessageFinder {
  /** `member`: byte of the file at which the member begins that the piece is from. */
  push(piece: Buffer, member: number): readonly Decoded[]
  /** What comes next does not continue what came before. */
  cut(): readonly Decoded[]
}

/** How every writer that is known begins a message: a map, and in it this key. */
const firstKey = Buffer.from('\x6cconnectionId', 'latin1')

type Attempt = { readonly kind: 'read'; readonly items: readonly Decoded[]; readonly length: number } | 'wrong' | 'more'

export function createMessageFinder(version: 1 | 2): MessageFinder {
  let held: Buffer = Buffer.alloc(0)
  /** Of the content, behind which `held` begins. */
  let before = 0
  let member = 0
  /** Bytes before `held` that could not be read. */
  let lost = 0
  let isFirst = true

  const drop = (count: number): void => {
    held = held.subarray(count)
    before += count
  }
  const closeGap = (found: Decoded[]): void => {
    if (lost > 0) found.push({ kind: 'problem', problem: gapOf(member, lost, Math.max(0, before - lost)) })
    lost = 0
  }
  const lose = (count: number): void => {
    lost += count
    drop(count)
  }
  /** Leaves `held` where a message may begin, or with what may be the beginning of its beginning. */
  const seek = (isOver: boolean): void => {
    const key = held.indexOf(firstKey, 2)
    if (key >= 0) lose(key - 1)
    else lose(isOver ? held.length : Math.max(1, held.length - firstKey.length))
  }
  const read = (isOver: boolean): Decoded[] => {
    const found: Decoded[] = []
    while (held.length > 0) {
      if (version === 1) drop(frameBytes(held, isFirst))
      isFirst = false
      if (held.length === 0) break
      const attempt = tryMessage(held)
      if (attempt === 'more' && !isOver) break
      if (attempt === 'more' || attempt === 'wrong') {
        if (!isOver && held.length <= firstKey.length) break
        seek(isOver)
        continue
      }
      closeGap(found)
      found.push(...attempt.items)
      drop(attempt.length)
    }
    if (isOver) closeGap(found)
    return found
  }
  return {
    push(piece, from) {
      const found: Decoded[] = []
      if (from !== member) {
        closeGap(found)
        member = from
        before = -held.length
      }
      held = held.length === 0 ? piece : Buffer.concat([held, piece])
      return [...found, ...read(false)]
    },
    cut: () => read(true),
  }
}

/** Of the array around all messages: its beginning, or its end. */
function frameBytes(bytes: Buffer, isFirst: boolean): number {
  const initial = bytes[0] ?? 0
  if (!isFirst || initial === 0x9f) return initial === breakByte || initial === 0x9f ? 1 : 0
  if (initial >> 5 !== majors.array) return 0
  const info = initial & 0x1f
  return info < 24 ? 1 : 1 + (1 << (info - 24))
}

function tryMessage(bytes: Buffer): Attempt {
  try {
    const length = createItemScanner(mostRecordBytes).scan(bytes, 0)
    if (length === undefined) return 'more'
    const read = readOrNothing(bytes)
    return read === undefined ? 'wrong' : { kind: 'read', items: [{ kind: 'record', ...read }], length }
  } catch (error) {
    if (error instanceof NotCborError || error instanceof TooLargeError) return 'wrong'
    throw error
  }
}

/** Undefined: it is no message. */
function readOrNothing(bytes: Buffer): ReadRecord | undefined {
  try {
    return hasAllKeys(bytes) ? readRecord(bytes, 0) : undefined
  } catch (error) {
    if (error instanceof RecordError) return undefined
    throw error
  }
}

const keys = ['connectionId', 'timestamp', 'type', 'payload', 'channelId']

/** Readers do without some, but what is put together from two messages is not to pass for one. */
function hasAllKeys(bytes: Buffer): boolean {
  const cursor = { bytes, at: 0 }
  if (cbor.kindAt(cursor) !== 'map') return false
  const found = new Set<string>()
  cbor.eachOf(cursor, () => {
    if (cbor.kindAt(cursor) === 'text') found.add(cbor.string(cursor).toString('latin1'))
    else cbor.skip(cursor)
    cbor.skip(cursor)
  })
  return keys.every((key) => found.has(key))
}
