/** The data types of RFC 4251 section 5, read without exceptions and written without knowing the length before. */
import { isUtf8 } from 'node:buffer'

const nothing = Buffer.alloc(0)
/** Of a name, and of a user's name. */
export const longestNameBytes = 255

/**
 * Text that goes to programs. Bytes that are not UTF-8 would come out changed, and a NUL would cut the text short in
 * every C program: both give undefined, so that nobody runs something else than was asked for.
 */
export const textOf = (bytes: Buffer): string | undefined =>
  isUtf8(bytes) && !bytes.includes(0) ? bytes.toString() : undefined

/**
 * Reads one message. Reading past the end, or text that is not text, gives an empty value and makes `failed` true for
 * ever: a decoder reads everything and asks once.
 */
export class Reader {
  readonly #bytes: Buffer
  #at: number
  #failed = false

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.#at = at
  }

  get failed(): boolean {
    return this.#failed
  }
  /** Everything was well formed and nothing is left over. */
  get complete(): boolean {
    return !this.#failed && this.#at === this.#bytes.length
  }
  get position(): number {
    return this.#at
  }

  #take(length: number): number {
    const at = this.#at
    if (this.#failed || length > this.#bytes.length - at) {
      this.#failed = true
      return -1
    }
    this.#at = at + length
    return at
  }

  byte(): number {
    const at = this.#take(1)
    return at < 0 ? 0 : (this.#bytes[at] ?? 0)
  }
  /** RFC 4251 section 5: every value but 0 is true. */
  boolean(): boolean {
    return this.byte() !== 0
  }
  uint32(): number {
    const at = this.#take(4)
    return at < 0 ? 0 : this.#bytes.readUInt32BE(at)
  }
  /** A view into the message: copy what is kept. */
  string(): Buffer {
    const length = this.uint32()
    const at = this.#take(length)
    return at < 0 ? nothing : this.#bytes.subarray(at, at + length)
  }
  /**
   * Names of methods, services and types: US-ASCII and at most 64 characters by RFC 4250 section 4.6.1. Other bytes
   * survive as Latin-1; what is much too long fails, since names go into the log.
   */
  name(): string {
    const bytes = this.string()
    this.#failed ||= bytes.length > longestNameBytes
    return this.#failed ? '' : bytes.toString('latin1')
  }
  /** See `textOf`; anything else fails. */
  text(): string {
    const text = textOf(this.string())
    this.#failed ||= text === undefined
    return text ?? ''
  }
  /** A view of all that is left. */
  rest(): Buffer {
    const rest = this.#failed ? nothing : this.#bytes.subarray(this.#at)
    this.#at = this.#bytes.length
    return rest
  }
}

/** Writes one message. For channel data see `output.ts`, which writes into the packet itself. */
export class Writer {
  #bytes: Buffer
  #length = 1

  constructor(messageNumber: number, room = 64) {
    this.#bytes = Buffer.allocUnsafe(room)
    this.#bytes[0] = messageNumber
  }

  #room(length: number): number {
    const at = this.#length
    this.#length = at + length
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, 2 * this.#bytes.length))
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    return at
  }

  byte(value: number): this {
    const at = this.#room(1)
    this.#bytes[at] = value
    return this
  }
  boolean(value: boolean): this {
    return this.byte(value ? 1 : 0)
  }
  uint32(value: number): this {
    const at = this.#room(4)
    this.#bytes.writeUInt32BE(value, at)
    return this
  }
  string(value: string | Uint8Array): this {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    return this.uint32(bytes.length).raw(bytes)
  }
  raw(bytes: Uint8Array): this {
    const at = this.#room(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }
}
