/**
 * The engine's multiplexed stream, without a terminal: frames of `type 0 0 0 length` (length: 4 bytes, big endian) and
 * payload (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach).
 * Incremental: payload is handed on as it arrives, in pieces of the caller's own buffer; nothing is joined or kept but
 * the 8 bytes of a header.
 */

/** `system` is a message of the engine itself about why there is nothing more (`stdcopy.Systemerr`). */
export type FrameType = 'stdout' | 'stderr' | 'system'
const TYPES: readonly FrameType[] = ['stdout', 'stdout', 'stderr', 'system']

const HEADER_BYTES = 8
/** The engine writes at most 32 KiB at a time; a length far above it is a damaged header. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024

/** The framing is damaged: what follows cannot be told apart. */
export class CorruptStreamError extends Error {
  override readonly name = 'CorruptStreamError'
}

export interface Demux {
  /** @throws CorruptStreamError, once; the stream is of no use afterwards. */
  push(bytes: Uint8Array): void
  /** True between frames: where a stream may end. */
  readonly complete: boolean
}

export function createDemux(frame: (type: FrameType, payload: Uint8Array) => void): Demux {
  const header = new Uint8Array(HEADER_BYTES)
  let have = 0
  let remaining = 0
  let type: FrameType = 'stdout'

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
  return {
    get complete() {
      return have === 0 && remaining === 0
    },
    push(bytes) {
      let at = 0
      while (at < bytes.length) {
        if (remaining > 0) {
          const payload = bytes.subarray(at, at + remaining)
          at += payload.length
          remaining -= payload.length
          frame(type, payload)
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
    },
  }
}

const u32 = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
