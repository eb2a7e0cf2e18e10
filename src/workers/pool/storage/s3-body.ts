/**
 * Bytes of a local file as the body of a request: read once for the hash that the signature covers, and once more on their
 * way. So a part needs the memory of a few blocks, whatever its size.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { sentWhenWanted } from './s3-expect.ts'

export type Open = (file: string) => Promise<FileHandle>
export interface Body {
  readonly body: Readable | Uint8Array
  /** Hex digits. */
  readonly sha256: string
  /** Base64 of the big-endian value, as S3 has it. */
  readonly crc32: string
}
interface Range {
  readonly file: string
  readonly start: number
  readonly bytes: number
}

const blockBytes = 256 * 1024
export const openForReading: Open = (file) => open(file, 'r')

/** The file is shorter than it was said to be. */
export class ShortFileError extends Error {}

/** Gives the body to `use`, and closes the file whatever happens. `closeProblem`: why it could not be closed. */
export async function withBody<T>(
  range: Range,
  openFile: Open,
  use: (body: Body) => Promise<T>,
): Promise<{ readonly value: T; readonly closeProblem?: string }> {
  const handle = await openFile(range.file)
  let value: T
  try {
    value = await sendFrom(handle, range, use)
  } catch (error) {
    await handle.close().catch(() => undefined)
    throw error
  }
  try {
    await handle.close()
    return { value }
  } catch (error) {
    return { value, closeProblem: error instanceof Error ? error.message : String(error) }
  }
}

async function sendFrom<T>(handle: FileHandle, range: Range, use: (body: Body) => Promise<T>): Promise<T> {
  const { start, bytes } = range
  const hash = createHash('sha256')
  const block = Buffer.allocUnsafeSlow(Math.min(blockBytes, bytes))
  let crc = 0
  for (let done = 0; done < bytes; done += block.length) {
    const piece = block.subarray(0, Math.min(block.length, bytes - done))
    await fill(handle, piece, start + done, range)
    hash.update(piece)
    crc = crc32(piece, crc)
  }
  const sums = { sha256: hash.digest('hex'), crc32: toBase64(crc) }
  if (bytes <= block.length) return use({ body: block, ...sums })
  const body = handle.createReadStream({ start, end: start + bytes - 1, autoClose: false, highWaterMark: blockBytes })
  try {
    return await use({ body: sentWhenWanted(body), ...sums })
  } finally {
    body.destroy()
  }
}

async function fill(handle: FileHandle, piece: Buffer, position: number, range: Range): Promise<void> {
  for (let done = 0; done < piece.length; ) {
    const { bytesRead } = await handle.read(piece, done, piece.length - done, position + done)
    if (bytesRead === 0) {
      throw new ShortFileError(`the file ends after ${position + done} bytes; expected ${range.start + range.bytes}`)
    }
    done += bytesRead
  }
}

function toBase64(crc: number): string {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(crc)
  return bytes.toString('base64')
}
