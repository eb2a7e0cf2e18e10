/**
 * A room in this process, without containers: its programs do what tests ask for. Commands:
 * `cat`, `exit N`, `signal NAME`, `source BYTES`, `sink` (SHA-256 of stdin), `lines N`, `err TEXT`, `both TEXT`, `size`
 * (terminal sizes until stdin ends), `wait` (names the signals it gets; TERM ends it), `slow COMMAND` (starts after
 * 300 ms), `fail` (does not start), `agent` (asks the forwarded agent for its keys), `x11 TEXT` (says it to the display
 * and prints the answer). A shell is `cat`.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Fault, fault } from '../../src/shared/codes/fault.ts'
import { placeName } from '../../src/workers/place.ts'
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
  Target,
  WindowSize,
} from '../../src/workers/ports.ts'

export interface TestRoom extends Backend {
  /** Programs that run. */
  readonly running: ReadonlySet<Program>
  /** Who came in, and how many of them are still here. */
  readonly occupants: readonly Occupant[]
  inside(): number
  /** Places that are listened at. */
  readonly doors: ReadonlySet<Door>
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
  agent: ({ stdio, program, end }) => ({
    // SSH_AGENTC_REQUEST_IDENTITIES
    begin: () => converse(program.env.get('SSH_AUTH_SOCK'), Buffer.of(0, 0, 0, 1, 11), stdio.stdout, end),
  }),
  x11: ({ stdio, program, argument, end }) => ({
    begin: () =>
      converse(program.env.get('DISPLAY'), hello(program.env.get('X11_COOKIE'), argument), stdio.stdout, end),
  }),
  wait: ({ stdio, end }) => ({
    begin: () => void stdio.stdout.write(text('ready\n')),
    signal(name) {
      stdio.stdout.write(text(`${name}\n`))
      if (name === 'TERM') end(killed(name))
    },
  }),
}

/** Says something to a socket of the room and prints the first of what comes back. */
function converse(path: string | undefined, said: Uint8Array, stdout: Sink, end: () => void): void {
  const socket = connect(path ?? '/nonexistent')
  socket.once('data', (bytes: Buffer) => {
    stdout.write(bytes)
    socket.end()
  })
  socket.on('error', () => undefined)
  socket.on('close', () => end())
  socket.write(said)
}

/** What an X11 client begins with (its protocol, section 8), cookie included; `text` stands where requests would. */
function hello(cookie: string | undefined, argument: string): Buffer {
  const head = Buffer.from([0x6c, 0, 11, 0, 0, 0, 18, 0, 16, 0, 0, 0])
  return Buffer.concat([head, text('MIT-MAGIC-COOKIE-1\0\0'), Buffer.from(cookie ?? '', 'hex'), text(argument)])
}

const reached = (code: unknown): string => (code instanceof Error && 'code' in code ? String(code.code) : String(code))

/** Loopback and unix sockets; `192.0.2.…` is prohibited. */
async function dial(target: Target, signal: AbortSignal): Promise<Socket> {
  if (target.kind === 'tcp' && target.host !== '127.0.0.1') throw refusal('that target')
  const to = target.kind === 'tcp' ? { host: target.host, port: target.port } : { path: target.path }
  const socket = connect({ ...to, allowHalfOpen: true })
  try {
    await once(socket, 'connect', { signal })
  } catch (cause) {
    socket.destroy()
    throw fault('SSH_FORWARD_CONNECT_FAILED', { target: placeName(target), reason: reached(cause) }, { cause })
  }
  return socket
}

/** A real listener on loopback, or a unix socket; X11 and the agent get a unix socket in the variable that tells of it. */
async function openDoor(doors: Set<Door>, door: Door, arrive: Arrive): Promise<Listening> {
  const server = createServer({ allowHalfOpen: true }, (stream) =>
    arrive(door, stream, { address: stream.remoteAddress ?? '', port: stream.remotePort ?? 0 }),
  )
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-door-'))
  const path = door.kind === 'unix' ? door.path : join(folder, 'door')
  if (door.kind === 'tcp' && door.host === 'forbidden.example') throw refusal('that address')
  server.listen(door.kind === 'tcp' ? { host: '127.0.0.1', port: door.port } : { path })
  try {
    await once(server, 'listening')
  } catch (cause) {
    rmSync(folder, { recursive: true })
    throw fault('SSH_FORWARD_LISTEN_FAILED', { door: placeName(door), reason: reached(cause) }, { cause })
  }
  doors.add(door)
  const address = server.address()
  const env = new Map<string, string>()
  if (door.kind === 'agent') env.set('SSH_AUTH_SOCK', path)
  if (door.kind === 'x11') env.set('DISPLAY', path).set('X11_COOKIE', door.x11.cookie)
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    env,
    async [Symbol.asyncDispose]() {
      doors.delete(door)
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
  const doors = new Set<Door>()
  let inside = 0
  return {
    name: 'test',
    faults: { alreadyRunning: refusal, notRunning: refusal, notSupported: refusal },
    running,
    occupants,
    doors,
    inside: () => inside,
    async open(who) {
      if (who.member.username === 'nobody') throw fault('SSH_NOT_IMPLEMENTED', { what: 'a room for nobody' })
      occupants.push(who)
      inside++
      return {
        run: (program, stdio) => start(program, stdio, running),
        dial: (target, _origin, signal) => dial(target, signal),
        listen: (door, arrive) => openDoor(doors, door, arrive),
        async [Symbol.asyncDispose]() {
          inside--
        },
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}
