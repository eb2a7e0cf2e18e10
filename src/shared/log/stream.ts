/** A connection that may break and is made again, as the destination of lines. */
import type { Writable } from 'node:stream'
import { backoff } from '../retry.ts'
import { type Destination, destinationOf, RETRY_MS, type Trouble } from './destination.ts'
import { type Batch, type LineQueue, lineQueue } from './queue.ts'

/** A connection that takes nothing for so long is given up: its other end may have gone without a word. */
const STALL_MS = 30_000

export interface Connected {
  readonly writable: Writable
  /** What the other side wants instead of the lines as they are. */
  readonly rewrite?: (lines: string) => string
}

export interface StreamOptions {
  readonly name: string
  /** Bounded in time. */
  connect(): Promise<Connected>
  readonly trouble: Trouble
  readonly queueBytes: number
}

/** Connects. Rejects when that fails; later failures are told to `trouble`, and lines wait in the queue meanwhile. */
export async function stream(options: StreamOptions): Promise<Destination> {
  const target = new Stream(options)
  await target.reopen()
  return destinationOf(options.name, target)
}

/** What was handed to a connection whose kernel has not confirmed it yet: if it breaks, the next one gets it. */
interface InFlight {
  readonly batch: Batch
  readonly on: Connected
}

class Stream {
  readonly #options: StreamOptions
  readonly #queue: LineQueue
  readonly #pauses = backoff(...RETRY_MS)
  #current: Connected | undefined
  /** Brought by reopen(), waiting for what is in flight on the old one. */
  #next: Connected | undefined
  #inFlight: InFlight | undefined
  #timer: NodeJS.Timeout | undefined
  #stalled: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: StreamOptions) {
    this.#options = options
    this.#queue = lineQueue(options.queueBytes)
  }

  get queuedBytes(): number {
    return this.#queue.bytes + (this.#inFlight?.batch.text.length ?? 0)
  }

  write(line: string): boolean {
    if (this.#closed || !this.#queue.push(line)) return false
    this.#pump()
    return true
  }

  async reopen(): Promise<void> {
    const fresh = await this.#options.connect()
    const { writable } = fresh
    writable.on('error', (error) => this.#options.trouble(error))
    if (this.#closed) {
      writable.destroy()
      return
    }
    writable.on('close', () => this.#lost(fresh))
    clearTimeout(this.#timer)
    this.#next?.writable.destroy()
    this.#next = fresh
    this.#swap()
  }

  /** What the kernel has not taken by now is lost with the process; nothing can be written synchronously here. */
  close(): number {
    if (this.#closed) return 0
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#stalled)
    this.#next?.writable.destroy()
    const flying = this.#inFlight?.batch.lines ?? 0
    if (this.#current === undefined) return this.#queue.length + flying
    const { writable, rewrite } = this.#current
    let lines = flying
    for (let batch = this.#queue.take(); batch !== undefined; batch = this.#queue.take()) {
      writable.write(rewrite?.(batch.text) ?? batch.text)
      lines += batch.lines
    }
    writable.end()
    return writable.writableLength === 0 ? 0 : lines
  }

  /** One batch at a time, so that what a broken connection may have lost is known. */
  #pump(): void {
    const on = this.#current
    if (on === undefined || this.#closed || this.#inFlight?.on === on) return
    const batch = this.#inFlight?.batch ?? this.#queue.take()
    if (batch === undefined) return
    this.#inFlight = { batch, on }
    this.#stalled = setTimeout(() => {
      on.writable.destroy(new Error(`nothing was taken for ${STALL_MS / 1000} s`))
    }, STALL_MS).unref()
    on.writable.write(on.rewrite?.(batch.text) ?? batch.text, (error) => {
      if (error != null || this.#inFlight?.on !== on) return
      clearTimeout(this.#stalled)
      this.#inFlight = undefined
      this.#pauses.reset()
      this.#swap()
      this.#pump()
    })
  }

  /** Goes over to the connection that reopen() brought, unless something is in flight on a living one. */
  #swap(): void {
    if (this.#next === undefined || (this.#current !== undefined && this.#inFlight?.on === this.#current)) return
    const old = this.#current
    this.#current = this.#next
    this.#next = undefined
    old?.writable.end()
    this.#pump()
  }

  #lost(connection: Connected): void {
    if (this.#next === connection) this.#next = undefined
    if (this.#current !== connection) return
    clearTimeout(this.#stalled)
    this.#current = undefined
    this.#swap()
    if (this.#current === undefined && !this.#closed) this.#connectLater()
  }

  #connectLater(): void {
    this.#timer = setTimeout(() => {
      this.reopen().catch((error: unknown) => {
        this.#options.trouble(error)
        if (!this.#closed) this.#connectLater()
      })
    }, this.#pauses.next()).unref()
  }
}
