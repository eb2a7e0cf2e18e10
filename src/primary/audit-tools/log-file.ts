/** An audit log on the disk. */
import { createReadStream } from 'node:fs'
import { decodeLog } from '../../shared/audit/decode.ts'
import type { Decoded } from '../../shared/audit/record-reader.ts'

/** The file cannot be opened or read. */
export class UnreadableError extends Error {}

const chunkBytes = 64 * 1024

/** @throws UnreadableError */
export async function* readLog(path: string): AsyncGenerator<readonly Decoded[]> {
  const file = createReadStream(path, { highWaterMark: chunkBytes })
  try {
    yield* decodeLog(chunksOf(file))
  } finally {
    file.destroy()
  }
}

async function* chunksOf(file: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* file
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = code === undefined ? undefined : reasons[code]
    throw new UnreadableError(`expected a readable file, found: ${reason ?? message}`, { cause: error })
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'a directory',
}
