/** The content of one file that was sent, in whatever order its parts came. */
import { createHash } from 'node:crypto'

export type Direction = 'upload' | 'download'

export interface Sink {
  /** Where the content goes. */
  readonly file: string | undefined
  write(data: Uint8Array): void
  close(): void
}
export interface Done {
  readonly protocol: 'sftp' | 'scp'
  readonly direction: Direction
  /** As it was asked for. */
  readonly path: string
  /** From the beginning of the file, without a gap. */
  readonly bytes: number
  /** Of these bytes. */
  readonly sha256: string
  /** It came to its end, and no part of it is missing. */
  readonly whole: boolean
  /** Where its content is now, if it was wanted. */
  readonly file: string | undefined
}
/** Who wants to know of transfers. */
export interface Watcher {
  begun(path: string): Sink
  done(transfer: Done): void
}
export interface Transfer {
  write(offset: number, data: Uint8Array): void
  end(hasEnded: boolean): void
}

/** Parts that wait for those before them; clients ask for a few megabytes at a time. */
const mostWaiting = 8 * 1024 * 1024

export function createTransfer(
  what: Pick<Done, 'protocol' | 'direction' | 'path'>,
  { begun, done }: Watcher,
): Transfer {
  const hash = createHash('sha256')
  const sink = begun(what.path)
  const waiting = new Map<number, Uint8Array>()
  let waitingBytes = 0
  let bytes = 0
  let isTorn = false
  const take = (data: Uint8Array): void => {
    hash.update(data)
    sink.write(data)
    bytes += data.length
  }
  return {
    write(offset, data) {
      if (data.length === 0) return
      if (offset === bytes) {
        take(data)
        for (let next = waiting.get(bytes); next !== undefined; next = waiting.get(bytes)) {
          waiting.delete(bytes)
          waitingBytes -= next.length
          take(next)
        }
      } else if (offset > bytes && waitingBytes + data.length <= mostWaiting && !waiting.has(offset)) {
        waiting.set(offset, Uint8Array.from(data))
        waitingBytes += data.length
      } else isTorn = true
    },
    end(hasEnded) {
      sink.close()
      const whole = hasEnded && !isTorn && waiting.size === 0
      done({ ...what, bytes, sha256: hash.digest('hex'), whole, file: sink.file })
    },
  }
}
