/** Bytes of CBOR (RFC 8949) in a buffer that grows; integers and lengths in their shortest form. */

/** The first byte of an item without its argument, or the whole of it. */
export const heads = {
  unsigned: 0x00,
  negative: 0x20,
  bytes: 0x40,
  text: 0x60,
  array: 0x80,
  map: 0xa0,
  no: 0xf4,
  yes: 0xf5,
  nothing: 0xf6,
} as const
const firstBytes = 512
const longestHead = 9

export interface Output {
  byte(value: number): void
  /** A head with an argument. @throws RangeError if that is no unsigned 64 bit integer */
  head(head: number, argument: number | bigint): void
  /** As they are. */
  copy(bytes: Uint8Array): void
  text(text: string): void
  /** Takes back what was written after the first `length` bytes. */
  cut(length: number): void
  /** What was written, in memory of its own, so that it can be transferred to another thread. */
  take(): Uint8Array
  /** What was written, until the next write: the memory is used again, which is most of the time that packing takes. */
  lend(): Uint8Array
  readonly length: number
}

/** Up to here, a loop is faster than the call that copies memory. */
const fewBytes = 64
/** Room for the next batch, if the last one was as large. */
const mostAhead = 128 * 1024

export function createOutput(): Output {
  let buffer = Buffer.alloc(0)
  let at = 0
  let expected = firstBytes
  const reserve = (count: number): void => {
    if (at + count <= buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(expected, buffer.length * 2, at + count))
    buffer.copy(larger, 0, 0, at)
    buffer = larger
  }
  const head = (first: number, argument: number | bigint): void => {
    reserve(longestHead)
    at = writeHead(buffer, at, first, argument)
  }
  return {
    head,
    byte(value) {
      reserve(1)
      buffer[at++] = value
    },
    copy(bytes) {
      reserve(bytes.length)
      if (bytes.length <= fewBytes)
        for (let index = 0; index < bytes.length; index++) buffer[at + index] = bytes[index] ?? 0
      else buffer.set(bytes, at)
      at += bytes.length
    },
    text(text) {
      const length = Buffer.byteLength(text)
      head(heads.text, length)
      reserve(length)
      at += buffer.write(text, at)
    },
    cut(length) {
      at = length
    },
    take() {
      const taken = new Uint8Array(buffer.buffer, 0, at)
      const exact = buffer.length > at * 2 ? taken.slice() : taken
      expected = Math.max(firstBytes, Math.min(at + (at >> 2), mostAhead))
      buffer = Buffer.alloc(0)
      at = 0
      return exact
    },
    lend() {
      const lent = buffer.subarray(0, at)
      at = 0
      return lent
    },
    get length() {
      return at
    },
  }
}

const wide = new DataView(new ArrayBuffer(8))
const wideBytes = new Uint8Array(wide.buffer)

/** Returns where the next item goes. */
function writeHead(buffer: Buffer, at: number, head: number, argument: number | bigint): number {
  if (typeof argument === 'bigint') {
    if (argument >= 0n && argument <= 0xffff_ffffn) return writeHead(buffer, at, head, Number(argument))
    if (BigInt.asUintN(64, argument) !== argument) throw new RangeError(`${argument} is no unsigned 64 bit integer`)
    // Arithmetic with bigints makes an object at every step; this does not.
    wide.setBigUint64(0, argument)
    buffer[at] = head | 27
    for (let index = 0; index < 8; index++) buffer[at + 1 + index] = wideBytes[index] ?? 0
    return at + 9
  }
  if (!Number.isSafeInteger(argument) || argument < 0) throw new RangeError(`${argument} is no unsigned integer`)
  if (argument < 24) {
    buffer[at] = head | argument
    return at + 1
  }
  if (argument < 0x100) {
    buffer[at] = head | 24
    buffer[at + 1] = argument
    return at + 2
  }
  if (argument < 0x1_0000) {
    buffer[at] = head | 25
    return buffer.writeUInt16BE(argument, at + 1)
  }
  if (argument < 0x1_0000_0000) {
    buffer[at] = head | 26
    return buffer.writeUInt32BE(argument, at + 1)
  }
  buffer[at] = head | 27
  buffer.writeUInt32BE(Math.floor(argument / 0x1_0000_0000), at + 1)
  return buffer.writeUInt32BE(argument % 0x1_0000_0000, at + 5)
}
