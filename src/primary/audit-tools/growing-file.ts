/** A file that somebody is still writing: its bytes as they come. */
import { watch } from 'node:fs'
import { open } from 'node:fs/promises'

const chunkBytes = 64 * 1024
/** Not every file system tells of changes. */
const lookAgainMs = 1000

/** Ends when the file is removed, or nobody wants more of it. */
export async function* growingFile(path: string, gone: AbortSignal): AsyncGenerator<Buffer> {
  await using file = await open(path)
  using news = newsOf(path, gone)
  while (!gone.aborted) {
    const seen = news.count
    const chunk = Buffer.allocUnsafe(chunkBytes)
    const { bytesRead } = await file.read(chunk, 0, chunkBytes)
    if (bytesRead > 0) yield chunk.subarray(0, bytesRead)
    else {
      if ((await file.stat()).nlink === 0) return
      await news.since(seen)
    }
  }
}

function newsOf(path: string, gone: AbortSignal) {
  let count = 0
  let wake = (): void => {}
  const tell = (): void => {
    count++
    wake()
  }
  const watcher = watch(path, tell)
  // It was removed, or this file system cannot be watched: the timer sees what happens.
  watcher.on('error', tell)
  gone.addEventListener('abort', tell)
  return {
    get count() {
      return count
    },
    async since(seen: number): Promise<void> {
      if (count !== seen) return
      const timer = setTimeout(tell, lookAgainMs)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      clearTimeout(timer)
    },
    [Symbol.dispose]() {
      watcher.close()
      gone.removeEventListener('abort', tell)
    },
  }
}
