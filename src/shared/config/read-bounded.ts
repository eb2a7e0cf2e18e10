/** Reading files that anybody may have named: devices without an end are files too. */
import { open } from 'node:fs/promises'

const chunkBytes = 65_536

/**
 * The whole file; undefined if it is larger than `mostBytes`.
 * @throws as `open` and `read` of node:fs
 */
export const readBounded = async (path: string, mostBytes: number): Promise<Buffer | undefined> => {
  const file = await open(path, 'r')
  try {
    const chunks: Buffer[] = []
    let length = 0
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes))
      if (bytesRead === 0) return Buffer.concat(chunks)
      length += bytesRead
      if (length > mostBytes) return undefined
      chunks.push(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}
