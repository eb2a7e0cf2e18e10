/** A helper program in a container whose input and output are a stream for us, and whose process number is known. */
import { Duplex } from 'node:stream'
import type { Log } from '../../../shared/log.ts'
import { type Announcement, createHeaderReader, type Header } from '../guest/header.ts'
import { createDemux } from './demux.ts'
import { attachExec, createExec } from './exec.ts'
import { askExitCode, positive, StillRunning } from './exit.ts'
import type { RawStream } from './hijack.ts'
import type { Room } from './room.ts'

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

const bufferBytes = 64 * 1024

/** `said`: what it writes to standard error. @throws Fault */
export async function openExecStream(
  room: Room,
  containerId: string,
  Cmd: readonly string[],
  announcement: Announcement,
  said: (bytes: Uint8Array) => void,
  log: Log,
  signal: AbortSignal,
): Promise<ExecStream> {
  const spec = { Cmd, Env: [], Tty: false, stdin: true, size: undefined }
  const id = await createExec(room, containerId, spec, log, signal)
  const raw = await attachExec(room, id, false, log, signal)
  const stream = new RawDuplex(raw, announcement, said)
  const ended = new Promise<void>((done) => stream.once('close', done))
  const ask = async (): Promise<number> => {
    const { Running, ExitCode } = await room.engine.execState(id, AbortSignal.timeout(room.settings.timeouts.signal))
    if (Running || ExitCode === null) throw new StillRunning()
    return positive(ExitCode, log)
  }
  const exitCode = Promise.race([stream.over, ended]).then(() =>
    askExitCode(ask, log, AbortSignal.timeout(room.settings.timeouts.signal)),
  )
  return {
    stream,
    ended: () => stream.ended,
    received: () => stream.received,
    header: stream.header,
    exitCode: exitCode.catch(() => undefined),
  }
}

/** The engine's stream without its frames and without the announcement. */
class RawDuplex extends Duplex {
  readonly header: Promise<Header>
  /** The engine has ended the output. */
  readonly over: Promise<void>
  ended = false
  received = 0
  readonly #raw: RawStream
  #continue: (() => void) | undefined

  constructor(raw: RawStream, announcement: Announcement, said: (bytes: Uint8Array) => void) {
    super({ allowHalfOpen: true, readableHighWaterMark: bufferBytes, writableHighWaterMark: bufferBytes })
    this.#raw = raw
    const header = Promise.withResolvers<Header>()
    const over = Promise.withResolvers<void>()
    this.header = header.promise
    this.over = over.promise
    const reader = createHeaderReader(announcement, false)
    let isOpen = true
    const settle = (found: Header): void => {
      isOpen = false
      header.resolve(found)
      if (found.kind === 'pid') this.#take(found.rest)
    }
    const stdout = (bytes: Uint8Array): void => {
      if (!isOpen) {
        this.#take(bytes)
        return
      }
      const found = reader.push(bytes)
      if (found !== undefined) settle(found)
    }
    const demux = createDemux((type, payload) => (type === 'stdout' ? stdout(payload) : said(payload)))
    raw.onDrain(() => {
      const go = this.#continue
      this.#continue = undefined
      go?.()
    })
    raw.read({
      data: (bytes) => {
        try {
          demux.push(bytes)
        } catch (error) {
          this.destroy(error as Error)
        }
      },
      ended: (error) => {
        if (isOpen) settle(reader.end())
        this.ended = true
        over.resolve()
        if (error === undefined) this.push(null)
        else this.destroy(error)
      },
      inputFailed: (error) => void this.destroy(error),
    })
  }

  /** The bytes are lent for the call. */
  #take(bytes: Uint8Array): void {
    this.received += bytes.length
    if (bytes.length > 0 && !this.destroyed && !this.push(Buffer.from(bytes))) this.#raw.pause()
  }
  override _read(): void {
    this.#raw.resume()
  }
  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#raw.write(bytes)) done()
    else this.#continue = done
  }
  override _final(done: (error?: Error) => void): void {
    this.#raw.end(done)
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#raw.destroy()
    done(error)
  }
}
