/**
 * The three streams of a program between a room's stream and the channel. Back-pressure goes through in both directions:
 * the room's stream is not read while the channel takes no output, and input is not asked for while its sink is full.
 */
import type { Sink, Stdio } from '../../ports.ts'
import { type Announcement, createHeaderReader, type Header } from './header.ts'
import { createLastWordReader, type LastWordReader } from './last-word.ts'

export interface Conduit {
  /** The announcement, or what came in its place. */
  readonly header: Promise<Header>
  /** Output of the program; the bytes are lent for the call. */
  stdout(bytes: Uint8Array): void
  stderr(bytes: Uint8Array): void
  /** The exit code, when all outputs have come to an end with the last word. */
  readonly over: Promise<number>
  /** Begins to ask for input. Called once, when the room's stream is read. */
  start(): void
  /** Nothing more comes from the program. */
  finish(): void
  /** Milliseconds since output last arrived; 0 while the channel does not take it. */
  quietMs(): number
  /** A line of ours on standard error, after all output. */
  tell(text: string): void
  /** Ends both outputs. Gives false if that has been done. */
  close(): boolean
}

export interface ConduitOptions {
  /** Of the room's stream. */
  readonly flow: { pause(): void; resume(): void }
  readonly tty: boolean
  readonly announcement: Announcement
  /** Input waits for the announcement: only then is it known where it goes. */
  readonly isUndecided?: boolean
  /** Of a terminal: it shows the line that lets the program begin. */
  readonly isEchoed?: boolean
  /** Both outputs end with it: see last-word.ts. */
  readonly lastWord?: string | undefined
  readonly stdio: Stdio
  /** What the program reads. */
  readonly input: Sink
}

export function createConduit(options: ConduitOptions): Conduit {
  const { flow, tty, announcement, isUndecided = false, isEchoed, lastWord, stdio, input } = options
  const header = Promise.withResolvers<Header>()
  const over = Promise.withResolvers<number>()
  const readers: LastWordReader[] = []
  let goingOn = 0
  const reader = createHeaderReader(announcement, tty, isEchoed)
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
      if (blocked === 0 && !closed) flow.resume()
    })
    return (bytes) => {
      lastAt = performance.now()
      if (bytes.length === 0 || sink.write(bytes) || full) return
      full = true
      blocked += 1
      flow.pause()
    }
  }
  const readTo = (sink: Sink): ((bytes: Uint8Array) => void) => {
    const deliver = gate(sink)
    if (lastWord === undefined) return deliver
    goingOn += 1
    const reader = createLastWordReader(lastWord, deliver, (code) => {
      goingOn -= 1
      if (goingOn === 0) over.resolve(code)
    })
    readers.push(reader)
    return reader.push
  }
  const out = readTo(stdio.stdout)
  const err = readTo(stdio.stderr)

  const settle = (found: Header): void => {
    headerOpen = false
    // It is looked at when the program has ended; the bytes are only lent.
    header.resolve(found.kind === 'pid' ? found : { ...found, text: Uint8Array.from(found.text) })
    if (found.kind === 'pid') out(found.rest)
    else (tty ? out : err)(found.text)
  }
  const startInput = (): void => {
    if (!closed) stdio.stdin.into(input)
  }
  return {
    header: header.promise,
    over: over.promise,
    stdout(bytes) {
      if (!headerOpen) return out(bytes)
      const found = reader.push(bytes)
      if (found !== undefined) settle(found)
    },
    stderr: err,
    start() {
      // A terminal would echo input that arrives before the announcement, and the echo would stand in front of it.
      if (isUndecided || (tty && (announcement === 'agent' || announcement === 'shim')))
        header.promise.then(startInput).catch(() => undefined)
      else startInput()
    },
    finish() {
      if (headerOpen) settle(reader.end())
      for (const one of readers) one.end()
    },
    quietMs: () => (blocked > 0 ? 0 : performance.now() - lastAt),
    tell(text) {
      if (!closed) stdio.stderr.write(Buffer.from(`\r\n${text}\r\n`))
    },
    close() {
      if (closed) return false
      closed = true
      if (headerOpen) settle(reader.end())
      for (const one of readers) one.end()
      stdio.stdout.end()
      stdio.stderr.end()
      return true
    },
  }
}
