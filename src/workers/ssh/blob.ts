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

  byte(what: string): number {
    return this.raw(1, what)[0] ?? 0
  }

  uint32(what: string): number {
    const at = this.#at
    this.raw(4, what)
    const [a = 0, b = 0, c = 0, d = 0] = this.#bytes.subarray(at, at + 4)
    return a * 0x1000000 + ((b << 16) | (c << 8) | d)
  }

  uint64(what: string): bigint {
    return (BigInt(this.uint32(what)) << 32n) | BigInt(this.uint32(what))
  }

  /** The bytes are a view, not a copy. */
  raw(length: number, what: string): Uint8Array {
    if (length > this.remaining) throw new MalformedBlob(`${what} is truncated`)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
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
