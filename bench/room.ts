/**
 * A room without a container: its programs are a source, a sink and an echo. What is left is the cost of the daemon
 * itself. Commands: `source BYTES [zeros|text|random]`, `tick NAME MS`, `sink`, `echo`, `true`;
 * a shell echoes.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Fault, fault } from '../src/shared/codes/fault.ts'
import type { Backend, Exit, Program, Running, Sandbox, Stdio } from '../src/workers/ports.ts'

/** As much as one packet of RFC 4253 section 6.1 carries; the daemon splits as it needs. */
const pieceBytes = 32 * 1024
const zeros = new Uint8Array(pieceBytes)

/** Pieces that are written in turn: more than a compressor remembers. */
const contents: Readonly<Record<string, () => readonly Uint8Array[]>> = {
  zeros: () => [zeros],
  text: () => piecesOf(readFileSync(new URL('../package-lock.json', import.meta.url))),
  random: () => piecesOf(randomBytes(pieceBytes * 16)),
}
const piecesOf = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: Math.floor(bytes.length / pieceBytes) }, (_, index) =>
    bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes),
  )

interface Act {
  readonly exit: Promise<Exit>
  /** Ends the program; its streams are nobody's concern any more. */
  stop(): void
}
const success: Exit = { kind: 'status', code: 0 }

/** Ends the output streams, then the program; only the first end counts. */
function ending(stdio: Stdio): { exit: Promise<Exit>; end(exit: Exit): void } {
  const { promise, resolve } = Promise.withResolvers<Exit>()
  const end = (exit: Exit): void => {
    stdio.stdout.end()
    stdio.stderr.end()
    resolve(exit)
  }
  return { exit: promise, end }
}

/** Writes so many bytes as fast as they are taken, then ends. */
function source(stdio: Stdio, bytes: number, pieces: readonly Uint8Array[] = [zeros], last: Exit = success): Act {
  const { exit, end } = ending(stdio)
  let left = bytes
  let turn = 0
  const pump = (): void => {
    while (left > 0) {
      const next = pieces[turn++ % pieces.length] ?? zeros
      const piece = left >= next.length ? next : next.subarray(0, left)
      left -= piece.length
      if (!stdio.stdout.write(piece)) return
    }
    end(last)
  }
  stdio.stdout.onDrain(pump)
  // Not before run() has returned: a program's first output comes after the news that it runs.
  setImmediate(pump)
  const stop = (): void => {
    left = 0
    end(success)
  }
  return { exit, stop }
}

/** Takes everything and ends with it. */
function sink(stdio: Stdio): Act {
  const { exit, end } = ending(stdio)
  stdio.stdin.into({ write: () => true, onDrain: () => undefined, end: () => end(success) })
  return { exit, stop: () => end(success) }
}

/** Sends everything back; asks its source to stop while the way back is full. */
function echo(stdio: Stdio): Act {
  const { exit, end } = ending(stdio)
  stdio.stdin.into({
    write: (bytes) => stdio.stdout.write(bytes),
    onDrain: (listener) => stdio.stdout.onDrain(listener),
    end: () => end(success),
  })
  return { exit, stop: () => end(success) }
}

/** Writes a numbered line with the name in it again and again. */
function tick(stdio: Stdio, name: string, everyMs: number): Act {
  const { exit, end } = ending(stdio)
  let count = 0
  const timer = setInterval(() => stdio.stdout.write(Buffer.from(`${name} ${count++}\n`)), everyMs)
  const stop = (): void => {
    clearInterval(timer)
    end(success)
  }
  return { exit, stop }
}

function act({ what }: Program, stdio: Stdio): Act {
  if (what.kind === 'shell') return echo(stdio)
  const [name, argument = '', option = ''] = (what.kind === 'exec' ? what.command : '').split(' ')
  switch (name) {
    case 'source':
      return source(stdio, Number(argument), contents[option]?.())
    case 'tick':
      return tick(stdio, argument, Number(option))
    case 'sink':
      return sink(stdio)
    case 'echo':
      return echo(stdio)
    case 'true':
      return source(stdio, 0)
    default:
      return source(stdio, 0, [zeros], { kind: 'status', code: 127 })
  }
}

async function run(program: Program, stdio: Stdio): Promise<Running> {
  const { exit, stop } = act(program, stdio)
  return {
    exit,
    resize: async () => undefined,
    signal: async () => stop(),
    [Symbol.asyncDispose]: async () => stop(),
  }
}

const refusal = (): Fault => fault('UNKNOWN_ERROR', {})

const sandbox: Sandbox = {
  run,
  dial: () => Promise.reject(refusal()),
  listen: () => Promise.reject(refusal()),
  [Symbol.asyncDispose]: async () => undefined,
}

/** The room; it owns nothing, so nothing is left behind by a dead instance. */
export const openBenchRoom = async (): Promise<Backend & { reap(): Promise<number> }> => ({
  name: 'bench',
  faults: { alreadyRunning: refusal, notRunning: refusal, notSupported: refusal },
  open: async () => sandbox,
  reap: async () => 0,
  [Symbol.asyncDispose]: async () => undefined,
})
