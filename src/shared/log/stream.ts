/** A connection that may break and is made again, as the destination of lines. */
import type { Writable } from 'node:stream'
import { type Destination, QUEUE_BYTES, RETRY_MS, type Trouble } from './destination.ts'
import { type LineQueue, lineQueue } from './queue.ts'

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
  readonly queueBytes?: number
}

/** Connects. Rejects when that fails; later failures are told to `trouble`, and lines wait in the queue meanwhile. */
export async function stream(options: StreamOptions): Promise<Destination> {
  const target = new Stream(options)
  await target.reopen()
  return {
    name: options.name,
    write: (line) => target.write(line),
    reopen: () => target.reopen(),
    close: () => target.close(),
    get queuedBytes() {
      return target.queuedBytes
    },
  }
}

class Stream {
  readonly #options: StreamOptions
  readonly #queue: LineQueue
  #current: Connected | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: StreamOptions) {
    this.#options = options
    this.#queue = lineQueue(options.queueBytes ?? QUEUE_BYTES)
  }

  get queuedBytes(): number {
    return this.#queue.bytes + (this.#current?.writable.writableLength ?? 0)
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
    writable.on('drain', () => this.#pump())
    writable.on('close', () => this.#lost(fresh))
    clearTimeout(this.#timer)
    const old = this.#current
    this.#current = fresh
    old?.writable.end()
    this.#pump()
  }

  /** What the kernel has not taken by now is lost with the process; nothing can be written synchronously here. */
  close(): number {
    if (this.#closed) return 0
    this.#closed = true
    clearTimeout(this.#timer)
    const lost = this.#current === undefined ? this.#queue.length : 0
    while (this.#send());
    this.#current?.writable.end()
    return lost
  }

  #pump(): void {
    while (this.#current?.writable.writableNeedDrain === false && this.#send());
  }

  /** Hands over one batch; false when there is none, or nobody to take it. */
  #send(): boolean {
    const text = this.#current === undefined ? undefined : this.#queue.take()
    if (this.#current === undefined || text === undefined) return false
    this.#current.writable.write(this.#current.rewrite?.(text) ?? text)
    return true
  }

  #lost(connection: Connected): void {
    if (this.#current !== connection) return
    this.#current = undefined
    if (!this.#closed) this.#connectLater()
  }

  #connectLater(): void {
    this.#timer = setTimeout(() => {
      this.reopen().catch((error: unknown) => {
        this.#options.trouble(error)
        if (!this.#closed) this.#connectLater()
      })
    }, RETRY_MS).unref()
  }
}
