/**
 * A room in this process, without containers: its programs do what tests ask for. Commands:
 * `cat`, `exit N`, `signal NAME`, `source BYTES`, `sink` (SHA-256 of stdin), `lines N`, `err TEXT`, `both TEXT`, `size`
 * (terminal sizes until stdin ends), `wait` (names the signals it gets; TERM ends it), `slow COMMAND` (starts after
 * 300 ms), `fail` (does not start). A shell is `cat`.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Fault, fault } from '../../src/shared/codes/fault.ts'
import type {
  Arrive,
  Backend,
  Door,
  Exit,
  Listening,
  Occupant,
  Program,
  Running,
  Sink,
  Stdio,
  WindowSize,
} from '../../src/workers/ports.ts'

export interface TestRoom extends Backend {
  /** Programs that run. */
  readonly running: ReadonlySet<Program>
  /** Who came in, and how many of them are still here. */
  readonly occupants: readonly Occupant[]
  inside(): number
}

/** Byte `i` of every source. */
export const patternByte = (i: number): number => (i * 31 + (i >> 10)) & 0xff
const pattern = Buffer.from(Array.from({ length: 1 << 18 }, (_, i) => patternByte(i)))

/** SHA-256 of the first `length` bytes of the pattern, which repeats every 256 KiB. */
export function patternHash(length: number): string {
  const hash = createHash('sha256')
  for (let at = 0; at < length; at += pattern.length)
    hash.update(pattern.subarray(0, Math.min(pattern.length, length - at)))
  return hash.digest('hex')
}

interface Act {
  begin(): void
  resize?(size: WindowSize): void
  signal?(name: string): void
}
interface Stage {
  readonly stdio: Stdio
  readonly argument: string
  readonly program: Program
  end(exit?: Exit): void
}

const text = (words: string): Buffer => Buffer.from(words)
const status = (code: number): Exit => ({ kind: 'status', code })
const killed = (name: string): Exit => ({ kind: 'signal', name, coreDumped: false, message: '' })

/** Writes what `next` gives, piece by piece, as fast as the sink takes it. */
function pump(sink: Sink, next: () => Uint8Array | undefined, done: () => void): void {
  const go = (): void => {
    for (let piece = next(); piece !== undefined; piece = next()) if (!sink.write(piece)) return
    done()
  }
  sink.onDrain(go)
  go()
}

const sinkOf = (write: (bytes: Uint8Array) => void, end: () => void): Sink => ({
  write(bytes) {
    write(bytes)
    return true
  },
  onDrain: () => undefined,
  end,
})

const acts: Readonly<Record<string, (stage: Stage) => Act>> = {
  cat: ({ stdio: { stdin, stdout }, end }) => ({
    begin: () =>
      stdin.into({
        write: (bytes) => stdout.write(bytes),
        onDrain: (listener) => stdout.onDrain(listener),
        end: () => end(),
      }),
    signal: (name) => end(killed(name)),
  }),
  exit: ({ argument, end }) => ({ begin: () => end(status(Number(argument))) }),
  signal: ({ argument, end }) => ({ begin: () => end(killed(argument)) }),
  source: ({ stdio, argument, end }) => {
    let at = 0
    const length = Number(argument)
    const next = (): Uint8Array | undefined => {
      if (at >= length) return undefined
      const start = at % pattern.length
      const piece = pattern.subarray(start, Math.min(start + 40_000, pattern.length, start + length - at))
      at += piece.length
      return piece
    }
    return { begin: () => pump(stdio.stdout, next, () => end()) }
  },
  sink: ({ stdio, end }) => {
    const hash = createHash('sha256')
    const done = (): void => {
      stdio.stdout.write(text(hash.digest('hex')))
      end()
    }
    return { begin: () => stdio.stdin.into(sinkOf((bytes) => hash.update(bytes), done)) }
  },
  lines: ({ stdio, argument, end }) => {
    let line = 0
    const next = (): Uint8Array | undefined => (line < Number(argument) ? text(`line ${line++}\n`) : undefined)
    return { begin: () => pump(stdio.stdout, next, () => end()) }
  },
  err: ({ stdio, argument, end }) => ({
    begin() {
      stdio.stderr.write(text(argument))
      end()
    },
  }),
  both: ({ stdio, argument, end }) => ({
    begin() {
      stdio.stdout.write(text(argument))
      stdio.stderr.write(text(argument.toUpperCase()))
      end()
    },
  }),
  size: ({ stdio, program, end }) => {
    const say = (size: WindowSize): void => void stdio.stdout.write(text(`${size.columns}x${size.rows}\r\n`))
    return {
      begin() {
        if (program.pty !== undefined) say(program.pty.size)
        stdio.stdin.into(
          sinkOf(
            () => undefined,
            () => end(),
          ),
        )
      },
      resize: say,
    }
  },
  wait: ({ stdio, end }) => ({
    begin: () => void stdio.stdout.write(text('ready\n')),
    signal(name) {
      stdio.stdout.write(text(`${name}\n`))
      if (name === 'TERM') end(killed(name))
    },
  }),
}

/** A real listener on loopback, or a unix socket; X11 and the agent get a unix socket in the variable that tells of it. */
async function openDoor(door: Door, arrive: Arrive): Promise<Listening> {
  const server = createServer({ allowHalfOpen: true }, (stream) =>
    arrive(door, stream, { address: stream.remoteAddress ?? '', port: stream.remotePort ?? 0 }),
  )
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-door-'))
  const path = door.kind === 'unix' ? door.path : join(folder, 'door')
  if (door.kind === 'tcp' && door.host === 'forbidden.example') throw refusal('that address')
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    if (door.kind === 'tcp') server.listen(door.port, '127.0.0.1', resolve)
    else server.listen(path, resolve)
  })
  const address = server.address()
  const variable = { x11: 'DISPLAY', agent: 'SSH_AUTH_SOCK' }[door.kind === 'x11' ? 'x11' : 'agent']
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    env: new Map(door.kind === 'x11' || door.kind === 'agent' ? [[variable, path]] : []),
    async [Symbol.asyncDispose]() {
      server.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const refusal = (request: string): Fault => fault('SSH_NOT_IMPLEMENTED', { what: request })

async function start(program: Program, stdio: Stdio, running: Set<Program>): Promise<Running> {
  const words = program.what.kind === 'exec' ? program.what.command.split(' ') : ['cat']
  if (program.what.kind === 'subsystem' && program.what.name !== 'cat') throw refusal(program.what.name)
  if (words[0] === 'slow') {
    words.shift()
    await sleep(300)
  }
  const make = acts[words[0] ?? '']
  if (make === undefined) throw refusal(words[0] ?? 'nothing')
  running.add(program)
  const { promise, resolve } = Promise.withResolvers<Exit>()
  const end = (exit: Exit = status(0)): void => {
    stdio.stdout.end()
    stdio.stderr.end()
    running.delete(program)
    resolve(exit)
  }
  const act = make({ stdio, program, argument: words.slice(1).join(' '), end })
  // A program's first output comes after the news that it runs.
  setImmediate(() => act.begin())
  return {
    exit: promise,
    resize: async (size) => act.resize?.(size),
    signal: async (name) => act.signal?.(name),
    [Symbol.asyncDispose]: async () => end(killed('KILL')),
  }
}

export function createRoom(): TestRoom {
  const running = new Set<Program>()
  const occupants: Occupant[] = []
  let inside = 0
  return {
    name: 'test',
    faults: { alreadyRunning: refusal, notRunning: refusal, notSupported: refusal },
    running,
    occupants,
    inside: () => inside,
    async open(who) {
      if (who.member.username === 'nobody') throw fault('SSH_NOT_IMPLEMENTED', { what: 'a room for nobody' })
      occupants.push(who)
      inside++
      return {
        run: (program, stdio) => start(program, stdio, running),
        async dial(target) {
          if (target.kind !== 'tcp' || target.host !== '127.0.0.1') throw refusal('that target')
          return connect({ host: target.host, port: target.port, allowHalfOpen: true })
        },
        listen: (door, arrive) => openDoor(door, arrive),
        async [Symbol.asyncDispose]() {
          inside--
        },
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}
