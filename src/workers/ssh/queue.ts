/**
 * Bytes waiting for somebody. Small pieces share blocks: a peer that sends one byte per packet must not cost an object
 * per byte (2 MiB of window would become 200 MB).
 */
import { maximumPacketBytes } from './numbers.ts'

const leastBlockBytes = 4096
/** For a whole packet each, used again: with new memory for every packet the garbage collector took 2 s per GB. */
const spares: Buffer[] = []
/** As many as one window at its largest. */
const sparesMax = 64

interface Block {
  readonly bytes: Buffer
  start: number
  end: number
}

export class ByteQueue {
  readonly #blocks: Block[] = []
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Copies. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#length += bytes.length
    const last = this.#blocks.at(-1)
    if (last !== undefined && last.bytes.length - last.end >= bytes.length) {
      last.bytes.set(bytes, last.end)
      last.end += bytes.length
      return
    }
    const block = blockFor(bytes.length)
    block.set(bytes)
    this.#blocks.push({ bytes: block, start: 0, end: bytes.length })
  }

  /** A view of at most `most` bytes from the front; valid until the next call. Empty when there is nothing. */
  peek(most: number): Buffer | undefined {
    const first = this.#blocks[0]
    return first?.bytes.subarray(first.start, Math.min(first.end, first.start + most))
  }

  /** Forgets what `peek` gave, or the first part of it. */
  shift(length: number): void {
    const first = this.#blocks[0]
    if (first === undefined) return
    first.start += length
    this.#length -= length
    if (first.start < first.end) return
    this.#blocks.shift()
    if (first.bytes.length === maximumPacketBytes && spares.length < sparesMax) spares.push(first.bytes)
  }

  clear(): void {
    this.#blocks.length = 0
    this.#length = 0
  }
}

function blockFor(length: number): Buffer {
  if (length <= leastBlockBytes || length > maximumPacketBytes)
    return Buffer.allocUnsafeSlow(Math.max(length, leastBlockBytes))
  return spares.pop() ?? Buffer.allocUnsafeSlow(maximumPacketBytes)
}
