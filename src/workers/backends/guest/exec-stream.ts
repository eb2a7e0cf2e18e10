/** A helper program in a container whose input and output are a stream for us, and whose process number is known. */
import { Duplex } from 'node:stream'
import { sleep } from '../../../shared/deadline.ts'
import { type Announcement, createHeaderReader, type Header, type HeaderReader } from './header.ts'

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
  /** Ends the program's input. Calls back when the kernel has it. */
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
  readonly #reader: HeaderReader | undefined
  readonly #over = Promise.withResolvers<void>()
  readonly #header = Promise.withResolvers<Header>()
  #isOpen: boolean
  #continue: (() => void) | undefined

  /** Without an announcement there is no program: all bytes are the stream's. */
  constructor(room: RoomStream, announcement?: Announcement) {
    super({ allowHalfOpen: true, readableHighWaterMark: bufferBytes, writableHighWaterMark: bufferBytes })
    this.#room = room
    this.#reader = announcement === undefined ? undefined : createHeaderReader(announcement, false)
    this.#isOpen = this.#reader !== undefined
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
    const found = this.#reader?.push(bytes)
    if (found !== undefined) this.#settle(found)
  }
  /** Nothing more comes from the program. */
  finish(error: Error | undefined): void {
    if (this.#isOpen && this.#reader !== undefined) this.#settle(this.#reader.end())
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

/** Resolves when there is something to read, or nothing more to come. */
export function readable(stream: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of events) stream.off(event, done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    for (const event of events) stream.on(event, done)
    signal.addEventListener('abort', done, { once: true })
  })
}
const events = ['readable', 'end', 'close', 'error'] as const

/** Whoever is refused has ended by then. */
const refusalMs = 200

/** Whether it has connected to somebody without saying so. What it has said before it ended counts. */
export async function livesOn({ stream, ended }: ExecStream, signal: AbortSignal): Promise<boolean> {
  await Promise.race([sleep(refusalMs, signal), readable(stream, signal)])
  return !signal.aborted && (stream.readableLength > 0 || !(ended() || stream.destroyed))
}

/** After the end of the client its peer, which does not learn of it, may go on to answer; then that end is for both. */
export async function linger({ stream, received }: ExecStream, closing: AbortSignal): Promise<void> {
  for (let seen = -1; seen !== received() && !stream.destroyed && !closing.aborted; ) {
    seen = received()
    await sleep(lingerMs, closing)
  }
  stream.destroy()
}
const lingerMs = 2000
