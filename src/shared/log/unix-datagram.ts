/** A UNIX datagram socket as the destination of datagrams: `/dev/log`, and the journal of systemd. */
import { backoff } from '../retry.ts'
import { block } from './block.ts'
import { type Destination, destinationOf, RETRY_MS, type Trouble } from './destination.ts'
import { connectDatagram, type DatagramSocket, type datagramAddon } from './unix-dgram.ts'

export interface UnixDatagramOptions {
  readonly path: string
  readonly addon: NonNullable<ReturnType<typeof datagramAddon>>
  readonly trouble: Trouble
  readonly queueBytes: number
}

/** Connects. @throws ErrnoException of connect(2) */
export const unixDatagram = (options: UnixDatagramOptions): Destination<Buffer> =>
  destinationOf(options.path, new UnixDatagram(options))

class UnixDatagram {
  readonly #options: UnixDatagramOptions
  readonly #pauses = backoff(...RETRY_MS)
  #queue: Buffer[] = []
  #queuedBytes = 0
  #socket: DatagramSocket | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: UnixDatagramOptions) {
    this.#options = options
    this.reopen()
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  write(datagram: Buffer): boolean {
    if (this.#closed || this.#queuedBytes + datagram.length > this.#options.queueBytes) return false
    this.#queue.push(datagram)
    this.#queuedBytes += datagram.length
    // Something waits already for the receiver to read, or to come back.
    if (this.#queue.length === 1) this.#pump()
    return true
  }

  reopen(): void {
    const { addon, path } = this.#options
    const fresh = connectDatagram(addon, path, () => this.#pump())
    clearTimeout(this.#timer)
    this.#socket?.close()
    this.#socket = fresh
    this.#pump()
  }

  close(limitMs: number): number {
    if (this.#closed) return 0
    const deadline = Date.now() + limitMs
    while (this.#socket !== undefined && this.#queue.length > 0 && Date.now() < deadline) {
      this.#pump()
      if (this.#queue.length > 0) block(5)
    }
    this.#closed = true
    clearTimeout(this.#timer)
    this.#socket?.close()
    return this.#queue.length
  }

  /** Sends until the receiver's queue is full. */
  #pump(): void {
    if (this.#socket === undefined || this.#closed) return
    let sent = 0
    for (const datagram of this.#queue) {
      const outcome = this.#socket.send(datagram)
      if (outcome === 'full') break
      if (outcome !== undefined && outcome.code !== 'EMSGSIZE') {
        this.#broken(outcome)
        break
      }
      if (outcome !== undefined) this.#options.trouble(outcome, 1)
      this.#queuedBytes -= datagram.length
      sent++
    }
    if (sent === this.#queue.length) this.#queue = []
    else this.#queue.splice(0, sent)
    if (sent > 0) this.#pauses.reset()
  }

  /** The receiver has gone. What was not sent waits for its return. */
  #broken(cause: unknown): void {
    this.#socket?.close()
    this.#socket = undefined
    this.#options.trouble(cause)
    this.#timer = setTimeout(() => {
      try {
        this.reopen()
      } catch (error) {
        this.#broken(error)
      }
    }, this.#pauses.next()).unref()
  }
}
