/** Reads and writes the data types of RFC 4251 section 5 inside key and signature blobs. Strict: what is left over is an error. */

/** A blob that does not have the form its specification gives. */
export class MalformedBlob extends Error {
  override readonly name = 'MalformedBlob'
}

export class BlobReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }
  get position(): number {
    return this.#at
  }

  /** Where the next `length` bytes begin; they are read with this. */
  #take(length: number, what: string): number {
    const at = this.#at
    if (length > this.#bytes.length - at) throw new MalformedBlob(`${what} is truncated`)
    this.#at = at + length
    return at
  }

  byte(what: string): number {
    return this.#bytes[this.#take(1, what)] ?? 0
  }

  uint32(what: string): number {
    const at = this.#take(4, what)
    const bytes = this.#bytes
    const low = ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)
    return (bytes[at] ?? 0) * 0x1000000 + low
  }

  uint64(what: string): bigint {
    return (BigInt(this.uint32(what)) << 32n) | BigInt(this.uint32(what))
  }

  /** The bytes are a view, not a copy. */
  raw(length: number, what: string): Uint8Array {
    const at = this.#take(length, what)
    return this.#bytes.subarray(at, at + length)
  }

  string(what: string): Uint8Array {
    return this.raw(this.uint32(what), what)
  }

  /** A string of printable US-ASCII. */
  text(what: string): string {
    const bytes = this.string(what)
    for (const byte of bytes) if (byte < 0x20 || byte > 0x7e) throw new MalformedBlob(`${what} is not printable ASCII`)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  }

  /** A positive mpint in its shortest form, as unsigned big-endian bytes without leading zeros. */
  positive(what: string): Uint8Array {
    const bytes = this.string(what)
    const [first, second = 0] = bytes
    if (first === undefined) throw new MalformedBlob(`${what} is zero`)
    if (first >= 0x80) throw new MalformedBlob(`${what} is negative`)
    if (first !== 0) return bytes
    if (second < 0x80) throw new MalformedBlob(`${what} has needless leading zeros`)
    return bytes.subarray(1)
  }

  /** Says that the blob must be at its end. */
  end(what: string): void {
    if (this.remaining > 0) throw new MalformedBlob(`${what} has ${this.remaining} bytes too many`)
  }
}

/** One RFC 4251 string. */
export const sshString = (bytes: Uint8Array | string): Buffer => {
  const content = typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes
  const out = Buffer.allocUnsafe(4 + content.length)
  out.writeUInt32BE(content.length, 0)
  out.set(content, 4)
  return out
}

/** RFC 4251 strings, one after the other. */
export const sshStrings = (...contents: readonly (Uint8Array | string)[]): Buffer => {
  let length = 0
  for (const content of contents) length += 4 + Buffer.byteLength(content)
  const out = Buffer.allocUnsafe(length)
  let at = 0
  for (const content of contents) {
    const start = at + 4
    if (typeof content === 'string') at = start + out.write(content, start)
    else {
      out.set(content, start)
      at = start + content.length
    }
    out.writeUInt32BE(at - start, start - 4)
  }
  return out
}

/** Unsigned big-endian bytes as one mpint. */
export const sshMpint = (unsigned: Uint8Array): Buffer => {
  let start = 0
  while (start < unsigned.length && unsigned[start] === 0) start++
  const bytes = unsigned.subarray(start)
  return sshString((bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes)
}

/** Unsigned bytes, filled with zeros on the left to `length`. */
export const leftPadded = (unsigned: Uint8Array, length: number, what: string): Buffer => {
  if (unsigned.length > length) throw new MalformedBlob(`${what} is too long`)
  const out = Buffer.alloc(length)
  out.set(unsigned, length - unsigned.length)
  return out
}

export const base64url = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url')
