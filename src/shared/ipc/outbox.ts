/** The sending half of a link: gathers frames per turn of the event loop, knows how far behind the other side is. */
import type { Duplex } from 'node:stream'
import { giveSpare } from '../spare-memory.ts'

export interface Outbox {
  /** False when the other side is behind. A patient frame may wait PATIENCE_MS for others to share its write. */
  add(frame: Buffer, patient?: boolean): boolean
  flush(): void
  /** Resolves when the queue is short again, or never will be. */
  drained(): Promise<void>
  /** Forgets what is queued and lets go of whoever waits. */
  close(): void
  /** Bytes that the pipe has not taken. */
  readonly queuedBytes: number
  readonly peakBytes: number
}

/** A write and the wake-up of the other side cost about 20 us each: two such reports per login were 3 % of it. */
const PATIENCE_MS = 10
const concatBytes = 16 * 1024

export function createOutbox(stream: Duplex, highBytes: number): Outbox {
  let gathered: Buffer[] = []
  let gatheredBytes = 0
  let peakBytes = 0
  let scheduled: NodeJS.Immediate | undefined
  let later: NodeJS.Timeout | undefined
  let open = true
  let waiting: PromiseWithResolvers<void> | undefined

  const queued = (): number => gatheredBytes + stream.writableLength
  const settle = (): void => {
    if (open && queued() > highBytes / 2) return
    waiting?.resolve()
    waiting = undefined
  }
  const clear = (): void => {
    if (scheduled !== undefined) clearImmediate(scheduled)
    scheduled = undefined
    clearTimeout(later)
    later = undefined
    gathered = []
    gatheredBytes = 0
  }
  const written = (frame: Buffer): void => {
    giveSpare(frame)
    settle()
  }
  const flush = (): void => {
    if (!open || gathered.length === 0) return
    const [first] = gathered
    const isSmall = gatheredBytes <= concatBytes
    // To copy small ones costs less than to describe each to the kernel; copies of large ones are work for the collector.
    if (gathered.length === 1 && first !== undefined) stream.write(first, () => written(first))
    else if (isSmall) stream.write(Buffer.concat(gathered, gatheredBytes), settle)
    else {
      stream.cork()
      for (const frame of gathered) stream.write(frame, () => written(frame))
      stream.uncork()
    }
    clear()
    settle()
  }
  return {
    add(frame, patient = false) {
      gathered.push(frame)
      gatheredBytes += frame.length
      // Ask the pipe before we call it congested: it may take all of this at once.
      if (queued() > highBytes) flush()
      else if (patient) later ??= setTimeout(flush, PATIENCE_MS)
      else scheduled ??= setImmediate(flush)
      peakBytes = Math.max(peakBytes, queued())
      return queued() <= highBytes
    },
    flush,
    drained() {
      if (!open || queued() <= highBytes / 2) return Promise.resolve()
      waiting ??= Promise.withResolvers()
      return waiting.promise
    },
    close() {
      open = false
      clear()
      settle()
    },
    get queuedBytes() {
      return open ? queued() : 0
    },
    get peakBytes() {
      return peakBytes
    },
  }
}
