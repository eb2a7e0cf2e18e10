/** Lines that wait for their destination. */
export interface LineQueue {
  /** Takes a line, or drops it and returns false when the queue is full. */
  push(line: string): boolean
  /** Removes and joins the first lines, about 64 KiB of them; undefined when there are none. */
  take(): Batch | undefined
  readonly bytes: number
  readonly length: number
}

export interface Batch {
  readonly text: string
  readonly lines: number
}

/** Large enough for one good write, and what a pipe holds. */
const BATCH_BYTES = 64 * 1024

/** A queue of at most `limit` bytes (UTF-8). Order is kept; what does not fit is not taken, rather than the oldest lost. */
export function lineQueue(limit: number): LineQueue {
  let lines: string[] = []
  let bytes = 0
  return {
    push(line) {
      const size = Buffer.byteLength(line)
      if (bytes + size > limit) return false
      bytes += size
      lines.push(line)
      return true
    },
    take() {
      if (lines.length === 0) return undefined
      if (bytes <= BATCH_BYTES) {
        const all = { text: lines.join(''), lines: lines.length }
        lines = []
        bytes = 0
        return all
      }
      let count = 0
      let size = 0
      while (count < lines.length && size < BATCH_BYTES) size += Buffer.byteLength(lines[count++] ?? '')
      bytes -= size
      return { text: lines.splice(0, count).join(''), lines: count }
    },
    get bytes() {
      return bytes
    },
    get length() {
      return lines.length
    },
  }
}
