/** One connection that the guest agent forwards, as a stream. Each direction ends on its own, if the agent can do that. */
import { Duplex } from 'node:stream'
import { ourWindow, windowOf } from './messages.ts'
import { dataBytes, type } from './packet.ts'

/** What a connection needs of the stream that it shares with others. */
export interface Wire {
  /** Whether connections have windows and end one direction after the other. */
  readonly extended: boolean
  readonly full: boolean
  send(kind: number, id: number, payload?: Uint8Array): void
  /** Calls back, once, when there is room again. */
  whenDrained(listener: () => void): void
  /** Without windows one connection that nobody reads from stops all. */
  block(connection: AgentConnection, blocked: boolean): void
  /** It is over; nothing more is sent about it. */
  forget(id: number): void
}

const bufferBytes = 64 * 1024
/** Old agents end both directions at once; an answer to what was said last needs time. */
const lingerMs = 2000

export class AgentConnection extends Duplex {
  readonly id: number
  readonly #wire: Wire
  /** Bytes that the agent takes. */
  #credit: number
  /** Bytes that may come, and that came. */
  #allowed = ourWindow
  #received = 0
  /** Nothing more comes. */
  #ended = false
  /** A write that waits for credit or for room. */
  #rest: Buffer | undefined
  #written: (() => void) | undefined
  #waiting = false
  /** CLOSE_CONNECTION was sent or received, or is not to be sent. */
  #told = false
  #lingering: NodeJS.Timeout | undefined

  constructor(wire: Wire, id: number, credit: number) {
    super({ allowHalfOpen: true, readableHighWaterMark: bufferBytes, writableHighWaterMark: bufferBytes })
    this.id = id
    this.#wire = wire
    this.#credit = credit
    // Without a listener an error would end the process, and it may come before anybody has the stream.
    this.on('error', () => undefined)
  }

  /** False: more than it was allowed to. */
  receive(bytes: Buffer): boolean {
    this.#received += bytes.length
    if (this.#wire.extended && this.#received > this.#allowed) return false
    if (this.destroyed || this.#ended) return true
    this.#lingering?.refresh()
    this.push(bytes)
    if (!this.#wire.extended && this.readableLength >= ourWindow) this.#wire.block(this, true)
    this.#allowMore()
    return true
  }

  /** The other side sends nothing more. */
  receiveEnd(): void {
    if (this.#ended) return
    this.#ended = true
    if (!this.destroyed) this.push(null)
  }

  /** The other side has closed both directions; what it sent before can still be read. */
  receiveClose(): void {
    this.#told = true
    this.#wire.forget(this.id)
    this.receiveEnd()
    this.#rest = undefined
    this.#written?.()
    this.#written = undefined
    this.end()
  }

  receiveWindow(bytes: number): void {
    this.#credit = Math.min(this.#credit + bytes, Number.MAX_SAFE_INTEGER)
    this.#pump()
  }

  /** The stream it shares with others is broken. */
  break(error: Error): void {
    this.#told = true
    this.destroy(error)
  }

  override _read(): void {
    if (!this.#wire.extended) this.#wire.block(this, false)
  }

  /** Here and not in `_read`, which Node calls before the bytes are taken out, and not again until more have come. */
  override read(size?: number): Buffer | null {
    const bytes = super.read(size) as Buffer | null // it has no encoding and no object mode
    this.#allowMore()
    return bytes
  }

  /** Tells in large steps what has been read. */
  #allowMore(): void {
    if (!this.#wire.extended || this.destroyed) return
    const more = this.#received - this.readableLength + ourWindow - this.#allowed
    if (more < ourWindow / 4 || this.#told) return
    this.#allowed += more
    this.#wire.send(type.window, this.id, windowOf(more))
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#told) {
      done()
      return
    }
    this.#rest = bytes
    this.#written = done
    this.#pump()
  }

  #pump(): void {
    while (this.#rest !== undefined && this.#credit > 0) {
      if (this.#wire.full) {
        this.#awaitRoom()
        return
      }
      const piece = this.#rest.subarray(0, Math.min(dataBytes, this.#credit))
      const rest = this.#rest.subarray(piece.length)
      this.#rest = rest.length === 0 ? undefined : rest
      if (this.#wire.extended) this.#credit -= piece.length
      this.#wire.send(type.data, this.id, piece)
    }
    if (this.#rest !== undefined) return
    const done = this.#written
    this.#written = undefined
    done?.()
  }

  #awaitRoom(): void {
    if (this.#waiting) return
    this.#waiting = true
    this.#wire.whenDrained(() => {
      this.#waiting = false
      this.#pump()
    })
  }

  override _final(done: () => void): void {
    if (!this.#told && this.#wire.extended) this.#wire.send(type.end, this.id)
    if (!this.#told && !this.#wire.extended) this.#lingering = setTimeout(() => this.#close(), lingerMs).unref()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#lingering)
    if (!this.#wire.extended) this.#wire.block(this, false)
    const isOver = this.#wire.extended && this.writableFinished && this.#ended
    if (!isOver) this.#close()
    this.#told = true
    this.#wire.forget(this.id)
    this.#rest = undefined
    done(error)
  }

  #close(): void {
    if (this.#told) return
    this.#told = true
    this.#wire.send(type.closeConnection, this.id)
    this.receiveEnd()
  }
}
