/**
 * Batches of one log that wait to be stored. What arrives was cut from a larger piece of memory, which would be kept as
 * long as the batch: hence one copy, into memory that goes to a thread as it is.
 */

/** What one task gets at most, unless a single batch is larger. */
export const MOST_TASK_BYTES = 1024 * 1024

export interface Gathered {
  add(batch: Uint8Array): void
  /** The oldest, up to MOST_TASK_BYTES; the caller's from now on, as its whole memory. */
  take(): Uint8Array<ArrayBuffer>
  clear(): void
  readonly bytes: number
}

export function createGathered(): Gathered {
  let full: Buffer<ArrayBuffer>[] = []
  let last: Buffer<ArrayBuffer> = nothing
  let filled = 0
  let bytes = 0
  const room = (count: number): void => {
    if (filled + count <= last.length) return
    if (filled > 0 && filled + count > MOST_TASK_BYTES) {
      full.push(last.subarray(0, filled))
      last = nothing
      filled = 0
    }
    // The first is mostly the only one: exact.
    const size = filled === 0 ? count : Math.min(MOST_TASK_BYTES, Math.max(filled + count, last.length * 2))
    const larger = Buffer.allocUnsafeSlow(size)
    last.copy(larger, 0, 0, filled)
    last = larger
  }
  return {
    add(batch) {
      room(batch.length)
      last.set(batch, filled)
      filled += batch.length
      bytes += batch.length
    },
    take() {
      const taken = full.shift() ?? last.subarray(0, filled)
      bytes -= taken.length
      if (taken.length > 0 && taken.buffer === last.buffer) {
        last = nothing
        filled = 0
      }
      return taken
    },
    clear() {
      full = []
      last = nothing
      filled = 0
      bytes = 0
    },
    get bytes() {
      return bytes
    },
  }
}

const nothing = Buffer.allocUnsafeSlow(0)
