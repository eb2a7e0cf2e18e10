/**
 * Docker's multiplexed stream, without a terminal, which the first process of a sandbox speaks, too: frames of `type 0 0 0 length` (length: 4 bytes, big endian) and
 * payload (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach).
 * Incremental: payload is handed on as it arrives, in pieces of the caller's own buffer; nothing is kept but the 8 bytes
 * of a header.
 */

/** `system` is a message of the engine itself about why there is nothing more (`stdcopy.Systemerr`). */
export type FrameType = 'stdout' | 'stderr' | 'system'
const TYPES: readonly FrameType[] = ['stdout', 'stdout', 'stderr', 'system']

const HEADER_BYTES = 8
/** The engine writes at most 32 KiB at a time; a length far above it is a damaged header. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024
/**
 * Frames of the same type that lie side by side are moved together up to what one packet of SSH carries: a program that
 * writes into a pipe gives frames of 4 KiB, and to move one costs a tenth of a packet of its own.
 */
const JOINED_BYTES = 32 * 1024

/** The framing is damaged: what follows cannot be told apart. */
export class CorruptStreamError extends Error {
  override readonly name = 'CorruptStreamError'
}

export interface Demux {
  /** Overwrites the bytes. @throws CorruptStreamError, once; the stream is of no use afterwards. */
  push(bytes: Uint8Array): void
  /** True between frames: where a stream may end. */
  readonly complete: boolean
}

export function createDemux(frame: (type: FrameType, payload: Uint8Array) => void): Demux {
  const header = new Uint8Array(HEADER_BYTES)
  let have = 0
  let remaining = 0
  let type: FrameType = 'stdout'
  /** What `push` was given, and the payload in it that is not handed on yet. */
  let chunk: Uint8Array = header
  let from = 0
  let to = 0
  let joined: FrameType = 'stdout'

  const open = (bytes: Uint8Array, at: number): void => {
    const length = u32(bytes, at + 4)
    const known = TYPES[bytes[at] ?? 255]
    const padding = (bytes[at + 1] ?? 1) | (bytes[at + 2] ?? 1) | (bytes[at + 3] ?? 1)
    if (known === undefined || padding !== 0 || length > MAX_FRAME_BYTES) {
      const seen = Buffer.from(bytes.subarray(at, at + HEADER_BYTES)).toString('hex')
      throw new CorruptStreamError(`the engine sent a damaged frame header: ${seen}`)
    }
    type = known
    remaining = length
  }
  const deliver = (): void => {
    const first = from
    from = to
    if (first < to) frame(joined, chunk.subarray(first, to))
  }
  const take = (at: number, end: number): void => {
    if (from < to && joined === type && to - from + end - at <= JOINED_BYTES) {
      chunk.copyWithin(to, at, end)
      to += end - at
      return
    }
    deliver()
    joined = type
    from = at
    to = end
  }
  const split = (bytes: Uint8Array): void => {
    let at = 0
    while (at < bytes.length) {
      if (remaining > 0) {
        const end = Math.min(bytes.length, at + remaining)
        take(at, end)
        remaining -= end - at
        at = end
      } else if (have === 0 && bytes.length - at >= HEADER_BYTES) {
        open(bytes, at)
        at += HEADER_BYTES
      } else {
        const part = bytes.subarray(at, at + HEADER_BYTES - have)
        header.set(part, have)
        at += part.length
        have += part.length
        if (have === HEADER_BYTES) {
          have = 0
          open(header, 0)
        }
      }
    }
  }
  return {
    get complete() {
      return have === 0 && remaining === 0
    },
    push(bytes) {
      chunk = bytes
      from = 0
      to = 0
      try {
        split(bytes)
      } finally {
        deliver()
        chunk = header
      }
    },
  }
}

const u32 = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
