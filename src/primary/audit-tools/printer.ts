/** Standard output of a tool that writes much: waits while the reader is slow, and knows when it is gone. */
export interface Printer {
  /** Undefined: go on at once. */
  print(text: string | Uint8Array): Promise<void> | undefined
  /** Nobody reads any more: go home. */
  readonly isClosed: boolean
  /** Aborts when it is so. */
  readonly gone: AbortSignal
}

export function createPrinter(stream: NodeJS.WritableStream): Printer & Disposable {
  let isClosed = false
  const gone = new AbortController()
  let wake = (): void => {}
  const closed = (): void => {
    isClosed = true
    gone.abort()
    wake()
  }
  const drained = (): void => wake()
  stream.on('error', closed)
  stream.on('close', closed)
  stream.on('drain', drained)
  return {
    print(text) {
      if (text.length === 0 || isClosed || stream.write(text)) return undefined
      if (isClosed) return undefined
      return new Promise((resolve) => {
        wake = resolve
      })
    },
    get isClosed() {
      return isClosed
    },
    gone: gone.signal,
    [Symbol.dispose]() {
      // The listener for errors stays: what is still on its way may fail later.
      stream.off('close', closed)
      stream.off('drain', drained)
    },
  }
}
