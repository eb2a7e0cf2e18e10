/** The entries of an archive, one after the other: plain, or compressed by gzip or zstd, as its first bytes say. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { Parser, type ReadEntry } from 'tar'

/** Bounds what all archives of one root file system may hold. */
export interface Budget {
  /** @throws Error when that is too much */
  spend(bytes: number): void
  /** For what is read twice. */
  copy(): Budget
}

export function createBudget(mostBytes: number): Budget {
  let left = mostBytes
  return {
    spend(bytes) {
      left -= bytes
      if (left < 0) throw new Error('with it, more is unpacked than sandbox.rootfs.maxSize allows')
    },
    copy: () => createBudget(left),
  }
}

/** Of an entry without content: its header. */
const headerBytes = 512
const gzip = [0x1f, 0x8b]
const zstd = [0x28, 0xb5, 0x2f, 0xfd]

/**
 * Calls `visit` for each entry, which has to read it or to `resume()` it. Resolves to the SHA-256 of the archive without
 * its compression, hexadecimal. @throws Error that names the entry; the signal's reason
 */
export async function eachEntry(
  path: string,
  budget: Budget,
  signal: AbortSignal,
  visit: (entry: ReadEntry) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256')
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => undefined) // told below
  let last = Promise.resolve()
  let current: ReadEntry | undefined
  const take = async (entry: ReadEntry): Promise<void> => {
    current = entry
    try {
      budget.spend(headerBytes + entry.size)
      await visit(entry)
    } catch (error) {
      throw new Error(`entry ${entry.path}: ${(error as Error).message}`, { cause: error })
    }
  }
  const parser = new Parser({
    strict: true,
    onReadEntry(entry) {
      last = last.then(() => take(entry))
      last.catch(failed.reject)
    },
  })
  const ended = new Promise<void>((resolve) => parser.once('end', resolve))
  parser.on('error', (error) => failed.reject(new Error(`it is not a tar archive: ${error.message}`, { cause: error })))
  parser.on('ignoredEntry', ({ path: name, type }: ReadEntry) =>
    failed.reject(new Error(`entry ${name}: its kind ${type} is not supported`)),
  )
  const feed = async (source: AsyncIterable<Buffer>): Promise<void> => {
    let isBlank = true
    for await (const chunk of source) {
      hash.update(chunk)
      isBlank &&= chunk.every((byte) => byte === 0)
      if (!parser.write(chunk)) await Promise.race([new Promise((go) => parser.once('drain', go)), failed.promise])
    }
    // Nothing but its end, as layers are that change no file: the parser takes it for no archive.
    if (isBlank) return
    parser.end()
    await Promise.race([ended, failed.promise])
    await last
  }
  const raw = createReadStream(path, { highWaterMark: 2 ** 20 })
  const unpacking = await decompressorOf(path)
  const options = { signal }
  try {
    await Promise.race([
      unpacking === undefined ? pipeline(raw, feed, options) : pipeline(raw, unpacking, feed, options),
      failed.promise,
    ])
  } catch (error) {
    raw.destroy()
    // Whoever reads it would wait for ever.
    current?.destroy(error)
    await last.catch(() => undefined) // of the same error, or for want of what comes no more
    throw error
  }
  return hash.digest('hex')
}

async function decompressorOf(path: string) {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    const begins = (magic: readonly number[]): boolean => magic.every((byte, at) => buffer[at] === byte)
    if (begins(gzip)) return createGunzip()
    return begins(zstd) ? createZstdDecompress() : undefined
  } finally {
    await file.close()
  }
}
