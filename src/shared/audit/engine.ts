/** One compressed stream, from where the input stands to where the stream says that it ends. */
import {
  constants,
  createInflateRaw,
  createZstdDecompress,
  type InflateRaw,
  inflateRawSync,
  type ZstdDecompress,
  zstdDecompressSync,
} from 'node:zlib'
import type { Input } from './input.ts'

export type Engine = 'deflate' | 'zstd'
/** `cut`: the input ended first; `damaged`: no such stream can have these bytes. */
export type StreamEnd = 'whole' | 'cut' | 'damaged'

/** Compressed bytes that are decompressed at once: what comes out of those before damaged ones is lost with them. */
const stepBytes = 4096
/** Content of a stream that is decompressed in one call; a batch of ours is smaller. */
const batchBytes = 1024 * 1024
/** 8 MiB, as much as the reference implementation of zstd accepts unasked. */
const windowLog = 23
const zstdParams = { [constants.ZSTD_d_windowLogMax]: windowLog }

/** Yields content; returns how the stream ended, with all of it taken from the input. */
export async function* decompress(engine: Engine, input: Input): AsyncGenerator<Buffer, StreamEnd> {
  await input.fill(1)
  const batch = wholeBatch(engine, input.ahead)
  if (batch === undefined) return yield* stepByStep(engine, input)
  input.skip(batch.taken)
  if (batch.content.length > 0) yield batch.content
  return 'whole'
}

/** Many times as fast for a small stream, because no other thread has to be asked. Undefined: it is not whole, or not small. */
function wholeBatch(engine: Engine, bytes: Buffer): { content: Buffer; taken: number } | undefined {
  const options = { info: true, maxOutputLength: batchBytes }
  try {
    const result: unknown =
      engine === 'deflate'
        ? inflateRawSync(bytes, options)
        : zstdDecompressSync(bytes, { ...options, params: zstdParams })
    const { buffer, engine: used } = result as { buffer: Buffer; engine: { bytesWritten: number } }
    return { content: buffer, taken: used.bytesWritten }
  } catch {
    // Step by step it turns out what is wrong, if anything is.
    return undefined
  }
}

async function* stepByStep(kind: Engine, input: Input): AsyncGenerator<Buffer, StreamEnd> {
  const engine = kind === 'deflate' ? createInflateRaw() : createZstdDecompress({ params: zstdParams })
  const news = newsOf(engine)
  const done = (): void => {
    isBusy = false
    news.tell()
  }
  let before = 0
  let isBusy = false
  let isEnding = false
  try {
    for (;;) {
      const seen = news.count
      // A failure would throw away what was not read yet, so nothing is given to the engine before all is read.
      const content: Buffer | null = engine.read()
      if (content !== null) yield content
      else if (engine.readableEnded || engine.errored !== null) {
        input.skip(engine.bytesWritten - before)
        if (engine.errored === null) return 'whole'
        return isEnding ? 'cut' : 'damaged'
      } else if (!isBusy && !isEnding) {
        input.skip(engine.bytesWritten - before)
        before = engine.bytesWritten
        isEnding = await input.atEnd()
        isBusy = true
        if (isEnding) engine.end()
        else engine.write(input.ahead.subarray(0, stepBytes), done)
      } else await news.since(seen)
    }
  } finally {
    engine.destroy()
  }
}

/** Whatever happens to the engine, told once to one who waits. */
function newsOf(engine: InflateRaw | ZstdDecompress) {
  let count = 0
  let wake = (): void => {}
  const tell = (): void => {
    count++
    wake()
  }
  for (const event of ['readable', 'end', 'error', 'close']) engine.on(event, tell)
  return {
    tell,
    get count() {
      return count
    },
    async since(seen: number): Promise<void> {
      if (count !== seen) return
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    },
  }
}
