/** What is said to the first process of a sandbox about a program, and what it answers. */
import { createDemux } from '../guest/demux.ts'
import type { RawStream } from '../guest/raw-stream.ts'

export interface Start {
  /** One of the sandbox's own. */
  readonly id: number
  /** Rows, columns, and both in pixels; undefined: no terminal. */
  readonly terminal: readonly [number, number, number, number] | undefined
  readonly folder: string
  readonly words: readonly string[]
  /** NAME=value. */
  readonly env: readonly string[]
}

/** A length and texts that end with NUL; see guest/internal/sandbox/wire.go. @throws Error for words with NUL */
export function encodeStart({ id, terminal, folder, words, env }: Start): Buffer {
  const most = 65_535
  const size = (terminal ?? [0, 0, 0, 0]).map((number) => String(Math.min(number, most)))
  const head = [String(id), terminal === undefined ? '' : 'tty', ...size, folder, String(words.length)]
  if (words.some((word) => word.includes('\0'))) throw new Error('it has a NUL in its words')
  const fields = [...head, ...words, ...env.filter((one) => !one.includes('\0'))]
  const text = Buffer.from(fields.map((field) => `${field}\0`).join(''))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text])
}

/** How a program ended: `signal` is a number of Linux. */
export type End =
  | { readonly kind: 'status'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: number; readonly coreDumped: boolean }

export interface Listener {
  /** The bytes are lent for the call. */
  stdout(bytes: Uint8Array): void
  stderr(bytes: Uint8Array): void
  /** Exactly once; with an error when the stream broke or was damaged. */
  over(error: Error | undefined): void
  inputFailed(error: Error): void
}

export interface Following {
  /** Undefined: the stream ended before. Neither ever rejects. */
  readonly started: Promise<true | undefined>
  readonly end: Promise<End | undefined>
}

/** Reads a stream to its end. */
export function followStream(raw: RawStream, listener: Listener): Following {
  const started = Promise.withResolvers<true | undefined>()
  const end = Promise.withResolvers<End | undefined>()
  let line = ''
  const news = (text: string): void => {
    const [word, number, more] = text.split(' ')
    if (word === 'started') started.resolve(true)
    else if (word === 'status') end.resolve({ kind: 'status', code: Number(number) })
    else if (word === 'signal') end.resolve({ kind: 'signal', signal: Number(number), coreDumped: more === 'core' })
  }
  const demux = createDemux((type, payload) => {
    if (type === 'stdout') return listener.stdout(payload)
    if (type === 'stderr') return listener.stderr(payload)
    const lines = `${line}${Buffer.from(payload).toString('latin1')}`.split('\n')
    line = lines.pop() ?? ''
    for (const one of lines) news(one)
  })
  let isOver = false
  const over = (error: Error | undefined): void => {
    if (isOver) return
    isOver = true
    listener.over(error)
    started.resolve(undefined)
    end.resolve(undefined)
  }
  raw.read({
    data(bytes) {
      try {
        demux.push(bytes)
      } catch (error) {
        raw.destroy()
        over(error as Error) // the demultiplexer throws nothing else
      }
    },
    ended: over,
    inputFailed: listener.inputFailed,
  })
  return { started: started.promise, end: end.promise }
}
