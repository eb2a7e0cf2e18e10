/**
 * The three streams of a program between the engine's raw stream and the channel. Back-pressure goes through in both
 * directions: the engine's socket is not read while the channel takes no output, and input is not asked for while the
 * socket is full.
 */
import type { Log } from '../../../shared/log.ts'
import type { Sink, Stdio } from '../../ports.ts'
import { createDemux } from './demux.ts'
import { type Announcement, createHeaderReader, type Header } from './header.ts'
import type { RawStream } from './hijack.ts'

export interface Pump {
  /** Settles when the engine has ended the output; with an error when the stream broke or was damaged. */
  readonly ended: Promise<Error | undefined>
  /** The announcement, or what came in its place. */
  readonly header: Promise<Header>
  /** Milliseconds since output last arrived; 0 while the channel does not take it. */
  quietMs(): number
  /** A line of ours on standard error, after all output. */
  tell(text: string): void
  /** Ends the connection to the engine and both sinks. Idempotent. */
  close(): void
}

export interface PumpOptions {
  readonly raw: RawStream
  readonly tty: boolean
  readonly announcement: Announcement
  readonly stdio: Stdio
  readonly log: Log
}

export function createPump({ raw, tty, announcement, stdio, log }: PumpOptions): Pump {
  const ended = Promise.withResolvers<Error | undefined>()
  const header = Promise.withResolvers<Header>()
  const reader = createHeaderReader(announcement, tty)
  let headerOpen = true
  let closed = false
  let blocked = 0
  let lastAt = performance.now()

  const gate = (sink: Sink): ((bytes: Uint8Array) => void) => {
    let full = false
    sink.onDrain(() => {
      if (!full) return
      full = false
      blocked -= 1
      lastAt = performance.now()
      if (blocked === 0 && !closed) raw.resume()
    })
    return (bytes) => {
      if (bytes.length === 0 || sink.write(bytes) || full) return
      full = true
      blocked += 1
      raw.pause()
    }
  }
  const out = gate(stdio.stdout)
  const err = gate(stdio.stderr)

  const settle = (found: Header): void => {
    headerOpen = false
    // It is looked at when the program has ended; the bytes are only lent.
    header.resolve(found.kind === 'pid' ? found : { ...found, text: Uint8Array.from(found.text) })
    if (found.kind === 'pid') out(found.rest)
    else (tty ? out : err)(found.text)
  }
  const stdout = (bytes: Uint8Array): void => {
    const found = headerOpen ? reader.push(bytes) : undefined
    if (found !== undefined) settle(found)
    else if (!headerOpen) out(bytes)
  }
  const demux = tty
    ? undefined
    : createDemux((type, payload) => {
        if (type === 'stdout') stdout(payload)
        else err(payload)
      })
  const finish = (error: Error | undefined): void => {
    if (headerOpen) settle(reader.end())
    ended.resolve(error)
  }
  raw.read({
    data(bytes) {
      lastAt = performance.now()
      if (demux === undefined) return stdout(bytes)
      try {
        demux.push(bytes)
      } catch (error) {
        raw.destroy()
        log.emit('DOCKER_STREAM_OUTPUT_FAILED', { reason: (error as Error).message }, { cause: error })
        finish(error as Error)
      }
    },
    ended(error) {
      if (error !== undefined) log.emit('DOCKER_STREAM_OUTPUT_FAILED', { reason: error.message }, { cause: error })
      finish(error)
    },
    inputFailed(error) {
      log.emit('DOCKER_STREAM_INPUT_FAILED', { reason: error.message }, { cause: error })
    },
  })
  const startInput = (): void => {
    if (!closed) stdio.stdin.into(inputSink(raw, tty, log))
  }
  // A terminal would echo input that arrives before the announcement, and the echo would stand in front of it.
  if (tty && announcement !== 'none') header.promise.then(startInput).catch(() => undefined)
  else startInput()
  return {
    ended: ended.promise,
    header: header.promise,
    quietMs: () => (blocked > 0 ? 0 : performance.now() - lastAt),
    tell(text) {
      if (!closed) stdio.stderr.write(Buffer.from(`\r\n${text}\r\n`))
    },
    close() {
      if (closed) return
      closed = true
      raw.destroy()
      finish(undefined)
      stdio.stdout.end()
      stdio.stderr.end()
    },
  }
}

function inputSink(raw: RawStream, tty: boolean, log: Log): Sink {
  const end = (): void =>
    raw.end((error) => {
      if (error !== undefined) log.emit('DOCKER_CLOSE_INPUT_FAILED', { reason: error.message }, { cause: error })
    })
  return {
    write: (bytes) => raw.write(bytes),
    onDrain: (listener) => raw.onDrain(listener),
    // A half-close does nothing to a terminal, but the engine would end the output with it (moby, attach.CopyStreams).
    end: tty ? () => undefined : end,
  }
}
