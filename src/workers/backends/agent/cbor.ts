/**
 * The part of CBOR (RFC 8949) that the guest agent's protocol uses: numbers, texts, byte strings, maps, booleans and
 * null, all of definite length. Decoding is in two steps: `extent` tells how far an item reaches, and only complete items
 * are read. What arrives is not trusted.
 */

/** It is not the CBOR that the protocol uses; the stream is of no use any more. */
export class CborError extends Error {
  override readonly name = 'CborError'
}

const major = { uint: 0, bytes: 2, text: 3, array: 4, map: 5, tag: 6, other: 7 } as const
const simple = { false: 0xf4, true: 0xf5, null: 0xf6 } as const
/** Of one item and all that is in it; packets have seven, payloads up to twenty. */
const mostItems = 256

/** Number of bytes from `start` to the end of the item; when it is not all there: minus the number that it takes at least. */
export function extent(bytes: Uint8Array, start: number, mostBytes: number): number {
  let at = start
  let seen = 0
  for (let items = 1; items > 0; items -= 1) {
    if (at >= bytes.length) return -(at + 1 - start)
    const first = bytes[at] ?? 0
    const low = first & 31
    if (low > 27) throw new CborError(`an item of indefinite length or a reserved one: ${first}`)
    const next = at + 1 + (low < 24 ? 0 : 1 << (low - 24))
    if (next > bytes.length) return -(next - start)
    const value = low < 24 ? low : bigEndian(bytes, at + 1, next)
    at = next
    seen += 1
    switch (first >> 5) {
      case major.bytes:
      case major.text:
        at += value
        break
      case major.array:
        items += value
        break
      case major.map:
        items += 2 * value
        break
      case major.tag:
        items += 1
        break
    }
    if (at - start > mostBytes) throw new CborError(`an item of more than ${mostBytes} bytes`)
    if (items + seen > mostItems) throw new CborError(`an item of more than ${mostItems} parts`)
  }
  return at > bytes.length ? -(at - start) : at - start
}

function bigEndian(bytes: Uint8Array, from: number, to: number): number {
  let value = 0
  for (let at = from; at < to; at += 1) value = value * 256 + (bytes[at] ?? 0)
  return value
}

/** Reads a complete item. */
export class CborReader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.#at = at
  }

  /** Number of pairs. @throws CborError, as all others */
  map(): number {
    return this.#head(major.map, 'a map')
  }
  /** At most 2^53 - 1. */
  uint(): number {
    const value = this.#head(major.uint, 'a number')
    if (value > Number.MAX_SAFE_INTEGER) throw new CborError('a number of more than 53 bits')
    return value
  }
  text(): string {
    return this.#take(this.#head(major.text, 'a text')).toString('utf8')
  }
  /** A part of the bytes that were given; null is an empty one. */
  bytes(): Buffer {
    if (this.#bytes[this.#at] === simple.null) {
      this.#at += 1
      return this.#bytes.subarray(0, 0)
    }
    return this.#take(this.#head(major.bytes, 'a byte string'))
  }
  skip(): void {
    this.#at += extent(this.#bytes, this.#at, this.#bytes.length)
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return taken
  }
  #head(wanted: number, what: string): number {
    const first = this.#bytes[this.#at] ?? 0
    if (first >> 5 !== wanted) throw new CborError(`major type ${first >> 5} where ${what} is expected`)
    const low = first & 31
    const next = this.#at + 1 + (low < 24 ? 0 : 1 << (low - 24))
    const value = low < 24 ? low : bigEndian(this.#bytes, this.#at + 1, next)
    this.#at = next
    return value
  }
}

/** An item in its smallest form. Maps keep the order of their keys. */
export type CborValue = number | string | boolean | Uint8Array | { readonly [key: string]: CborValue }

export function encode(value: CborValue): Buffer {
  if (typeof value === 'number') return head(major.uint, value)
  if (typeof value === 'boolean') return Buffer.of(value ? simple.true : simple.false)
  if (typeof value === 'string') return Buffer.concat([head(major.text, Buffer.byteLength(value)), Buffer.from(value)])
  if (value instanceof Uint8Array) {
    return value.length === 0 ? Buffer.of(simple.null) : Buffer.concat([head(major.bytes, value.length), value])
  }
  const pairs = Object.entries(value)
  return Buffer.concat([head(major.map, pairs.length), ...pairs.flatMap(([key, one]) => [encode(key), encode(one)])])
}

function head(type: number, value: number): Buffer {
  const first = type << 5
  if (value < 24) return Buffer.of(first | value)
  const size = value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xffff_ffff ? 4 : 8
  const bytes = Buffer.alloc(1 + size)
  bytes[0] = first | (24 + Math.log2(size))
  if (size === 8) bytes.writeBigUInt64BE(BigInt(value), 1)
  else bytes.writeUIntBE(value, 1, size)
  return bytes
}
