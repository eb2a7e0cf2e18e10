/**
 * Frames on the pipe between the primary and a worker: 4 bytes length (big endian), then that many bytes of one
 * MessagePack value.
 */
import { SPARE_BYTES, takeSpare } from '../spare-memory.ts'
import { MalformedError, pack, unpack } from './msgpack.ts'

/** Holds a configuration with its keys and a batch of log records; larger data is sent in parts. */
export const MAX_FRAME_BYTES = 1 << 20
const HEADER_BYTES = 4
const NOTHING = Buffer.alloc(0)

/** The other side broke the framing. Nothing after it can be trusted: the link ends. */
export class FrameError extends Error {}

/** A message whose last field has at least so many bytes is packed without them, and they are copied once. */
const LARGE_BYTES = 4096
/** Frames from this size on are received in memory of their own, with the bytes in them: it can go to another thread. */
export const OWN_BYTES = 4096
/** A frame of at least so many bytes is worth spare memory. */
const SPARE_FROM_BYTES = 32 * 1024
/** As msgpackr writes them: no bytes at all, and the head of many. */
const EMPTY = new Uint8Array(0)
const EMPTY_BYTES = 2
const BIN32 = 0xc6
const BIN32_HEAD_BYTES = 5

/**
 * A large frame may be given to `giveSpare` once it has been written.
 * @throws RangeError when the value is larger than a frame may be: a bug of the sender.
 */
export function encodeFrame(value: unknown, limitBytes: number = MAX_FRAME_BYTES): Buffer {
  const large = largeOf(value)
  if (large !== undefined) return encodeLarge(pack({ ...large.fields, [large.name]: EMPTY }), large.bytes, limitBytes)
  const body = pack(value)
  const frame = frameFor(body.length, limitBytes)
  frame.set(body, HEADER_BYTES)
  return frame
}

interface Large {
  readonly fields: object
  readonly name: string
  readonly bytes: Uint8Array
}

function largeOf(value: unknown): Large | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const fields = value as Readonly<Record<string, unknown>>
  let name = ''
  for (const each in fields) name = each
  const bytes = fields[name]
  return bytes instanceof Uint8Array && bytes.length >= LARGE_BYTES ? { fields, name, bytes } : undefined
}

function encodeLarge(head: Buffer, bytes: Uint8Array, limitBytes: number): Buffer {
  const headBytes = head.length - EMPTY_BYTES
  const frame = frameFor(headBytes + BIN32_HEAD_BYTES + bytes.length, limitBytes)
  let at = HEADER_BYTES
  frame.set(head.subarray(0, headBytes), at)
  at += headBytes
  frame[at] = BIN32
  frame.writeUInt32BE(bytes.length, at + 1)
  frame.set(bytes, at + BIN32_HEAD_BYTES)
  return frame
}

function frameFor(bodyBytes: number, limitBytes: number): Buffer {
  if (bodyBytes > limitBytes) throw new RangeError(`a message of ${bodyBytes} bytes exceeds ${limitBytes}`)
  const bytes = HEADER_BYTES + bodyBytes
  const isLarge = bytes >= SPARE_FROM_BYTES && bytes <= SPARE_BYTES
  const frame = isLarge ? takeSpare().subarray(0, bytes) : Buffer.allocUnsafe(bytes)
  frame.writeUInt32BE(bodyBytes)
  return frame
}

export type Decoded = { readonly done: true } | { readonly done: false; readonly value: unknown }

export interface FrameDecoder {
  /**
   * Adds bytes as they came from the pipe, cut anywhere. They are kept by reference until `next()` has consumed them, and so
   * are those of values in frames smaller than OWN_BYTES.
   */
  push(chunk: Buffer): void
  /**
   * The next whole value; `done: true` when more bytes are needed.
   * @throws FrameError; the decoder is of no use afterwards.
   */
  next(): Decoded
  /** The memory of what was pushed is used for something else from now on. */
  detach(): void
  /** True when the stream must not end here: part of a frame has come. */
  readonly partial: boolean
}

/** Beside the chunk in hand it holds at most one frame: `limitBytes`, whatever length is announced. */
export function createFrameDecoder(limitBytes: number = MAX_FRAME_BYTES): FrameDecoder {
  let input: Buffer = NOTHING
  const header = Buffer.alloc(HEADER_BYTES)
  let headerFilled = 0
  /** The body of a frame that came in several chunks. */
  let body: Buffer | undefined
  let bodyFilled = 0

  const decode = (bytes: Buffer): Decoded => {
    try {
      return { done: false, value: unpack(bytes) }
    } catch (error) {
      throw new FrameError(error instanceof MalformedError ? error.message : 'not MessagePack', { cause: error })
    }
  }
  /** Copies what is there, and says whether `target` is full. */
  const fill = (target: Buffer, from: number): number => {
    const count = input.copy(target, from)
    input = input.subarray(count)
    return from + count
  }
  return {
    push(chunk) {
      input = input.length === 0 ? chunk : Buffer.concat([input, chunk])
    },
    next() {
      if (body === undefined) {
        headerFilled = fill(header, headerFilled)
        if (headerFilled < HEADER_BYTES) return { done: true }
        const length = header.readUInt32BE()
        if (length === 0 || length > limitBytes) throw new FrameError(`a frame of ${length} bytes`)
        headerFilled = 0
        if (input.length >= length && length < OWN_BYTES) {
          const whole = input.subarray(0, length)
          input = input.subarray(length)
          return decode(whole)
        }
        body = Buffer.allocUnsafeSlow(length)
        bodyFilled = 0
      }
      bodyFilled = fill(body, bodyFilled)
      if (bodyFilled < body.length) return { done: true }
      const whole = body
      body = undefined
      return decode(whole)
    },
    detach() {
      if (input.length > 0) input = Buffer.from(input)
    },
    get partial() {
      return input.length > 0 || headerFilled > 0 || body !== undefined
    },
  }
}
