/** A helper program in a container whose input and output are a stream for us, and whose process number is known. */
import { Duplex } from 'node:stream'
import { type Announcement, createHeaderReader, type Header } from './header.ts'

export interface ExecStream {
  readonly stream: Duplex
  /** Nothing more comes from it than what the stream holds. */
  ended(): boolean
  /** Bytes that have come. */
  received(): number
  /** Its process number, or what came in place of it. */
  readonly header: Promise<Header>
  /** Settles when it has ended; undefined: nobody knows with what. Never rejects. */
  readonly exitCode: Promise<number | undefined>
}

/** What a room has to a program. */
export interface RoomStream {
  pause(): void
  resume(): void
  /** Copies the bytes. False: wait for the drain listener. */
  write(bytes: Uint8Array): boolean
  onDrain(listener: () => void): void
  /** Ends the program's input. */
  end(done: (error?: Error) => void): void
  /** Ends both directions at once. */
  destroy(): void
}

const bufferBytes = 64 * 1024

/** A room's stream as one of Node's, without the announcement. The room hands in what it reads. */
export class ExecDuplex extends Duplex {
  readonly header: Promise<Header>
  /** The output has ended. */
  readonly over: Promise<void>
  ended = false
  received = 0
  readonly #room: RoomStream
  readonly #reader: ReturnType<typeof createHeaderReader>
  readonly #over = Promise.withResolvers<void>()
  readonly #header = Promise.withResolvers<Header>()
  #isOpen = true
  #continue: (() => void) | undefined

  constructor(room: RoomStream, announcement: Announcement) {
    super({ allowHalfOpen: true, readableHighWaterMark: bufferBytes, writableHighWaterMark: bufferBytes })
    this.#room = room
    this.#reader = createHeaderReader(announcement, false)
    this.header = this.#header.promise
    this.over = this.#over.promise
    room.onDrain(() => {
      const go = this.#continue
      this.#continue = undefined
      go?.()
    })
  }

  /** Output of the program; the bytes are lent for the call. */
  stdout(bytes: Uint8Array): void {
    if (!this.#isOpen) {
      this.#take(bytes)
      return
    }
    const found = this.#reader.push(bytes)
    if (found !== undefined) this.#settle(found)
  }
  /** Nothing more comes from the program. */
  finish(error: Error | undefined): void {
    if (this.#isOpen) this.#settle(this.#reader.end())
    this.ended = true
    this.#over.resolve()
    if (error === undefined) this.push(null)
    else this.destroy(error)
  }
  #settle(found: Header): void {
    this.#isOpen = false
    this.#header.resolve(found.kind === 'pid' ? found : { ...found, text: Uint8Array.from(found.text) })
    if (found.kind === 'pid') this.#take(found.rest)
  }
  #take(bytes: Uint8Array): void {
    this.received += bytes.length
    if (bytes.length > 0 && !this.destroyed && !this.push(Buffer.from(bytes))) this.#room.pause()
  }
  override _read(): void {
    this.#room.resume()
  }
  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#room.write(bytes)) done()
    else this.#continue = done
  }
  override _final(done: (error?: Error) => void): void {
    this.#room.end(done)
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#room.destroy()
    done(error)
  }
}
