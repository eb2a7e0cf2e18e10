/** A file as it is read: pieces of bytes, of which some can be looked at before they are taken. */
export interface Input {
  /** Of the next byte. */
  readonly offset: number
  /** Waits until `count` bytes or all that are left are in `ahead`. */
  fill(count: number): Promise<void>
  /** The next bytes, taken or not. */
  readonly ahead: Buffer
  /** At most as many as are in `ahead`. */
  skip(count: number): void
  /** The last bytes that were taken, at most four. */
  readonly behind: Buffer
  /** Whether there is nothing left. */
  atEnd(): Promise<boolean>
}

const nothing = Buffer.alloc(0)
const behindBytes = 4

/** Lets go of `chunks` (their `return` is called) when it is disposed. */
export function createInput(chunks: AsyncIterable<Uint8Array>): Input & AsyncDisposable {
  const iterator = chunks[Symbol.asyncIterator]()
  let ahead: Buffer = nothing
  let behind: Buffer = nothing
  let offset = 0
  let isOver = false
  const fill = async (count: number): Promise<void> => {
    while (ahead.length < count && !isOver) {
      const next = await iterator.next()
      if (next.done === true) isOver = true
      else {
        const chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length)
        ahead = ahead.length === 0 ? chunk : Buffer.concat([ahead, chunk])
      }
    }
  }
  return {
    fill,
    skip(count) {
      if (count === 0) return
      behind = Buffer.concat([behind, ahead.subarray(Math.max(0, count - behindBytes), count)]).subarray(-behindBytes)
      ahead = ahead.subarray(count)
      offset += count
    },
    async atEnd() {
      await fill(1)
      return ahead.length === 0
    },
    get ahead() {
      return ahead
    },
    get behind() {
      return behind
    },
    get offset() {
      return offset
    },
    async [Symbol.asyncDispose]() {
      await iterator.return?.()
    },
  }
}
