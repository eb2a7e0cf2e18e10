/** A file, a pipe, a terminal or a device as the destination of lines. Never blocks the event loop. */
import { close, closeSync, fstatSync, type Stats, write, writeSync } from 'node:fs'
import { backoff } from '../retry.ts'
import { block } from './block.ts'
import { type Destination, destinationOf, RETRY_MS, type Trouble } from './destination.ts'
import type { Opened } from './open.ts'
import { type LineQueue, lineQueue } from './queue.ts'

/** Pauses after EAGAIN, while the reader of a pipe is slower than we are: from the first, doubling to the last. */
const FULL_PIPE_MS = [1, 64] as const
const NEWLINE = 10

export interface DescriptorOptions {
  readonly name: string
  /** Called at once, and again by `reopen()`. What it throws, the caller gets. */
  open(): Opened
  readonly trouble: Trouble
  readonly queueBytes: number
}

export const descriptor = (options: DescriptorOptions): Destination =>
  destinationOf(options.name, new Descriptor(options))

class Descriptor {
  readonly #options: DescriptorOptions
  readonly #queue: LineQueue
  readonly #pause = backoff(...FULL_PIPE_MS)
  #opened: Opened
  #regular: boolean
  /** Brought by reopen(), waiting for the write in flight. */
  #next: Opened | undefined
  /** What is being written, from `#offset` on. */
  #chunk: Buffer | undefined
  #offset = 0
  /** While a thread writes: the size of the file before. */
  #sizeBefore: number | undefined
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #closed = false

  constructor(options: DescriptorOptions) {
    this.#options = options
    this.#queue = lineQueue(options.queueBytes)
    this.#opened = options.open()
    this.#regular = isRegular(this.#opened.fd)
  }

  get queuedBytes(): number {
    return this.#queue.bytes + this.#rest.length
  }

  write(line: string): boolean {
    if (this.#closed || !this.#queue.push(line)) return false
    // One write for all records of a turn of the event loop.
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined
      this.#pump()
    })
    return true
  }

  reopen(): void {
    const opened = this.#options.open()
    if (this.#next?.owned === true) closeSync(this.#next.fd)
    this.#next = opened
    this.#swap()
    this.#pump()
  }

  close(limitMs: number): number {
    if (this.#closed) return 0
    this.#closed = true
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    const deadline = Date.now() + limitMs
    const unsettled = this.#settle(deadline)
    this.#flush(deadline)
    // A descriptor that a thread still writes to must not be closed: its number would go to somebody else.
    if (this.#opened.owned && unsettled === 0) closeSync(this.#opened.fd)
    if (this.#next?.owned === true) closeSync(this.#next.fd)
    return unsettled + countLines(this.#rest) + this.#queue.length
  }

  /** What of the current chunk is not written yet. */
  get #rest(): Buffer {
    return this.#chunk?.subarray(this.#offset) ?? Buffer.of()
  }

  #load(): boolean {
    if (this.#chunk !== undefined) return true
    const batch = this.#queue.take()
    if (batch === undefined) return false
    this.#chunk = Buffer.from(batch.text)
    this.#offset = 0
    return true
  }

  #advance(written: number): void {
    this.#pause.reset()
    this.#offset += written
    if (this.#rest.length === 0) this.#chunk = undefined
  }

  /** Regular files are written by a thread, since a slow disk blocks whoever writes; all else answers EAGAIN at once. */
  #pump(): void {
    if (this.#closed || this.#timer !== undefined || this.#sizeBefore !== undefined) return
    if (this.#regular) this.#writeInThread()
    else this.#writeNow()
  }

  #writeNow(): void {
    try {
      while (this.#load()) this.#advance(writeSync(this.#opened.fd, this.#rest))
    } catch (error) {
      this.#failed(error)
    }
  }

  #writeInThread(): void {
    if (!this.#load()) return
    this.#sizeBefore = sizeOf(this.#opened.fd)
    write(this.#opened.fd, this.#rest, (error, written) => {
      if (this.#closed) return
      this.#sizeBefore = undefined
      if (error === null) this.#advance(written)
      this.#swap()
      if (error === null) this.#pump()
      else this.#failed(error)
    })
  }

  #failed(error: unknown): void {
    const full = codeOf(error) === 'EAGAIN'
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#pump()
      },
      full ? this.#pause.next() : RETRY_MS[0],
    ).unref()
    if (!full) this.#options.trouble(error)
  }

  /** Goes over to the descriptor that reopen() brought. A line that is half written is written again as a whole. */
  #swap(): void {
    if (this.#next === undefined || this.#sizeBefore !== undefined) return
    const old = this.#opened
    this.#opened = this.#next
    this.#next = undefined
    this.#regular = isRegular(this.#opened.fd)
    if (this.#chunk !== undefined) this.#offset = startOfLine(this.#chunk, this.#offset)
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (old.owned) close(old.fd, (error) => error && this.#options.trouble(error))
  }

  /**
   * Waits, blocking, until the write in flight has reached the file; there is no other way to ask from here.
   * Returns the number of lines in it if it has not.
   */
  #settle(deadline: number): number {
    if (this.#sizeBefore === undefined) return 0
    const expected = this.#sizeBefore + this.#rest.length
    while (sizeOf(this.#opened.fd) < expected && Date.now() < deadline) block(1)
    const lines = sizeOf(this.#opened.fd) < expected ? countLines(this.#rest) : 0
    this.#chunk = undefined
    return lines
  }

  #flush(deadline: number): void {
    while (this.#load()) {
      try {
        this.#advance(writeSync(this.#opened.fd, this.#rest))
      } catch (error) {
        if (codeOf(error) !== 'EAGAIN') return
        block(5)
      }
      if (Date.now() >= deadline) return
    }
  }
}

const isRegular = (fd: number): boolean => statsOf(fd)?.isFile() ?? false
const sizeOf = (fd: number): number => statsOf(fd)?.size ?? 0
function statsOf(fd: number): Stats | undefined {
  try {
    return fstatSync(fd)
  } catch {
    return undefined
  }
}

const startOfLine = (text: Buffer, at: number): number => (at === 0 ? 0 : text.lastIndexOf(NEWLINE, at - 1) + 1)
const countLines = (text: Buffer): number => text.reduce((lines, byte) => (byte === NEWLINE ? lines + 1 : lines), 0)
const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code
