/**
 * The three streams of a program between the pod's stream and the channel. Back-pressure goes through in both directions:
 * the stream is not read while the channel takes no output, and input is not asked for while the socket is full.
 */
import type { Log } from '../../../shared/log.ts'
import type { Sink, Stdio } from '../../ports.ts'
import { type Announcement, createHeaderReader, type Header } from '../docker/header.ts'
import type { PodStream, Status } from './stream.ts'

export interface Pump {
  /** Settles when the stream is over: with the status, if there was one, and the error that broke it. */
  readonly ended: Promise<{ readonly status: Status | undefined; readonly error: Error | undefined }>
  /** The announcement, or what came in its place. */
  readonly header: Promise<Header>
  /** Ends the stream and both sinks. Idempotent. */
  close(): void
}

export interface PumpOptions {
  readonly stream: PodStream
  readonly tty: boolean
  readonly announcement: Announcement
  readonly stdio: Stdio
  readonly log: Log
}

export function createPump({ stream, tty, announcement, stdio, log }: PumpOptions): Pump {
  const ended = Promise.withResolvers<{ status: Status | undefined; error: Error | undefined }>()
  const header = Promise.withResolvers<Header>()
  const reader = createHeaderReader(announcement, tty)
  let headerOpen = true
  let closed = false
  let blocked = 0
  let status: Status | undefined

  const gate = (sink: Sink): ((bytes: Uint8Array) => void) => {
    let full = false
    sink.onDrain(() => {
      if (!full) return
      full = false
      blocked -= 1
      if (blocked === 0 && !closed) stream.resume()
    })
    return (bytes) => {
      if (bytes.length === 0 || sink.write(bytes) || full) return
      full = true
      blocked += 1
      stream.pause()
    }
  }
  const out = gate(stdio.stdout)
  const err = gate(stdio.stderr)
  const settle = (found: Header): void => {
    headerOpen = false
    header.resolve(found)
    if (found.kind === 'pid') out(found.rest)
    else (tty ? out : err)(found.text)
  }
  const finish = (error: Error | undefined): void => {
    if (headerOpen) settle(reader.end())
    ended.resolve({ status, error })
  }
  stream.read({
    data(channel, bytes) {
      if (channel === 'stderr') return err(bytes)
      if (!headerOpen) return out(bytes)
      const found = reader.push(bytes)
      if (found !== undefined) settle(found)
    },
    status(one) {
      status = one
    },
    ended: finish,
  })
  const startInput = (): void => {
    if (!closed) stdio.stdin.into(inputSink(stream, log))
  }
  // A terminal would echo input that arrives before the announcement, and the echo would stand in front of it.
  if (tty && announcement !== 'none') header.promise.then(startInput).catch(() => undefined)
  else startInput()
  return {
    ended: ended.promise,
    header: header.promise,
    close() {
      if (closed) return
      closed = true
      stream.destroy()
      finish(undefined)
      stdio.stdout.end()
      stdio.stderr.end()
    },
  }
}

function inputSink(stream: PodStream, log: Log): Sink {
  return {
    write: (bytes) => stream.write(bytes),
    onDrain: (listener) => stream.onDrain(listener),
    end() {
      if (!stream.end()) log.emit('KUBERNETES_INPUT_NOT_ENDED', {})
    },
  }
}
