/**
 * Batches of one log that wait to be stored. A small one was cut from a larger piece of memory, which would be kept as long
 * as the batch: hence a copy. A large one is in memory of its own (see `frame.ts`) and goes to a thread as it is.
 */
import { OWN_BYTES } from '../../shared/ipc/frame.ts'

/** What one task gets at most, unless a single batch is larger. */
export const MOST_TASK_BYTES = 1024 * 1024
const copyBytes = 16 * 1024

export interface Gathered {
  add(batch: Uint8Array): void
  /** The oldest, up to MOST_TASK_BYTES, each in memory of its own. */
  take(): Uint8Array<ArrayBuffer>[]
  clear(): void
  readonly bytes: number
}

export function createGathered(): Gathered {
  let whole: Uint8Array<ArrayBuffer>[] = []
  /** Copies, the last of `whole` to be. */
  let copies: Buffer<ArrayBuffer> | undefined
  let filled = 0
  let bytes = 0
  const finish = (): void => {
    if (copies !== undefined) whole.push(copies.subarray(0, filled))
    copies = undefined
    filled = 0
  }
  const copy = (batch: Uint8Array): void => {
    if (filled + batch.length > copyBytes) finish()
    if (copies === undefined || filled + batch.length > copies.length) {
      // The first is mostly the only one: exact.
      const larger = Buffer.allocUnsafeSlow(copies === undefined ? batch.length : copyBytes)
      copies?.copy(larger, 0, 0, filled)
      copies = larger
    }
    copies.set(batch, filled)
    filled += batch.length
  }
  return {
    add(batch) {
      bytes += batch.length
      if (batch.length < OWN_BYTES) copy(batch)
      else {
        finish()
        // A frame is never in shared memory.
        whole.push(batch as Uint8Array<ArrayBuffer>)
      }
    },
    take() {
      finish()
      let count = 0
      let size = 0
      for (const piece of whole) {
        if (count > 0 && size + piece.length > MOST_TASK_BYTES) break
        count += 1
        size += piece.length
      }
      bytes -= size
      return whole.splice(0, count)
    },
    clear() {
      whole = []
      copies = undefined
      filled = 0
      bytes = 0
    },
    get bytes() {
      return bytes
    },
  }
}
