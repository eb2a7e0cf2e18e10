/**
 * MessagePack as plain data: nil, booleans, numbers, strings, bytes, arrays, maps with string keys, and `undefined`.
 *
 * msgpackr would also read records (it compiles code for them), classes, sets, regular expressions and references. A
 * worker parses what strangers send and may be taken over; what it sends is walked once before msgpackr sees it, so
 * that nothing of this, no endless nesting and no length beyond the frame is ever acted upon.
 */
import { Packr, Unpackr } from 'msgpackr'

const packr = new Packr({ useRecords: false, variableMapSize: true })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' })

/** Deep enough for a configuration, far from the end of the stack. */
const MAX_DEPTH = 32

export class MalformedError extends Error {}

/** A copy: msgpackr's own buffer is used again for the next message. */
export function pack(value: unknown): Buffer {
  return packr.pack(value)
}

/**
 * Exactly one value that fills `bytes`.
 * @throws MalformedError
 */
export function unpack(bytes: Buffer): unknown {
  const end = skip(bytes, 0, 0)
  if (end !== bytes.length) throw new MalformedError(`${bytes.length - end} bytes after the value`)
  return unpackr.unpack(bytes)
}

/**
 * The offset after the value at `at`, of which a later unpacking has nothing to fear.
 * @throws MalformedError
 */
export const valueEnd = (bytes: Buffer, at: number): number => skip(bytes, at, 0)

/** The offset after the value at `at`. Every step moves forward, so the walk ends within `bytes.length` steps. */
function skip(bytes: Buffer, at: number, depth: number): number {
  if (depth > MAX_DEPTH) throw new MalformedError('nested too deeply')
  const head = byteAt(bytes, at)
  if (head <= 0x7f || head >= 0xe0) return at + 1 // small integers
  if (head <= 0x8f) return skipMap(bytes, at + 1, head & 0x0f, depth)
  if (head <= 0x9f) return skipItems(bytes, at + 1, head & 0x0f, depth)
  if (head <= 0xbf) return skipBytes(bytes, at + 1, head & 0x1f)
  switch (head) {
    case 0xc0: // nil, false, true
    case 0xc2:
    case 0xc3:
      return at + 1
    case 0xc4: // bytes and strings: length of 1, 2 or 4 bytes
    case 0xd9:
      return skipBytes(bytes, at + 2, byteAt(bytes, at + 1))
    case 0xc5:
    case 0xda:
      return skipBytes(bytes, at + 3, lengthAt(bytes, at + 1, 2))
    case 0xc6:
    case 0xdb:
      return skipBytes(bytes, at + 5, lengthAt(bytes, at + 1, 4))
    case 0xcc: // numbers of 1, 2, 4, 8 bytes
    case 0xd0:
      return skipBytes(bytes, at + 1, 1)
    case 0xcd:
    case 0xd1:
      return skipBytes(bytes, at + 1, 2)
    case 0xca:
    case 0xce:
    case 0xd2:
      return skipBytes(bytes, at + 1, 4)
    case 0xcb:
    case 0xcf:
    case 0xd3:
      return skipBytes(bytes, at + 1, 8)
    case 0xd4: // fixext 1: only type 0, msgpackr's `undefined`
      if (byteAt(bytes, at + 1) !== 0) throw new MalformedError('an extension type')
      return skipBytes(bytes, at + 2, 1)
    case 0xdc:
      return skipItems(bytes, at + 3, lengthAt(bytes, at + 1, 2), depth)
    case 0xdd:
      return skipItems(bytes, at + 5, lengthAt(bytes, at + 1, 4), depth)
    case 0xde:
      return skipMap(bytes, at + 3, lengthAt(bytes, at + 1, 2), depth)
    case 0xdf:
      return skipMap(bytes, at + 5, lengthAt(bytes, at + 1, 4), depth)
    default:
      throw new MalformedError(`the byte 0x${head.toString(16)} where a value begins`)
  }
}

function skipItems(bytes: Buffer, at: number, count: number, depth: number): number {
  // Each value takes at least one byte: a longer array is a lie, found before anything is made for it.
  if (count > bytes.length - at) throw new MalformedError('an array longer than its frame')
  let next = at
  for (let i = 0; i < count; i++) next = skip(bytes, next, depth + 1)
  return next
}

function skipMap(bytes: Buffer, at: number, count: number, depth: number): number {
  if (count > (bytes.length - at) / 2) throw new MalformedError('a map longer than its frame')
  let next = at
  for (let i = 0; i < count; i++) {
    const head = byteAt(bytes, next)
    if ((head < 0xa0 || head > 0xbf) && (head < 0xd9 || head > 0xdb))
      throw new MalformedError('a key that is no string')
    next = skip(bytes, skip(bytes, next, depth + 1), depth + 1)
  }
  return next
}

function skipBytes(bytes: Buffer, at: number, length: number): number {
  const end = at + length
  if (end > bytes.length) throw new MalformedError('the frame ends within a value')
  return end
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at]
  if (byte === undefined) throw new MalformedError('the frame ends within a value')
  return byte
}

function lengthAt(bytes: Buffer, at: number, size: 2 | 4): number {
  if (at + size > bytes.length) throw new MalformedError('the frame ends within a value')
  return bytes.readUIntBE(at, size)
}
