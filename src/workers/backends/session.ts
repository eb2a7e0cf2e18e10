/**
 * The innermost `Session` and `Channel`: requests become at most one `Program` per channel, which a room's `Sandbox`
 * runs. The same for all rooms; each channel works on its own, nothing is shared but the sandbox.
 */
import { Fault, fault } from '../../shared/codes/fault.ts'
import type { Level } from '../../shared/log/level.ts'
import type { Log } from '../../shared/log.ts'
import { backendLabel, observe, secondsSince } from '../../shared/metric.ts'
import type {
  Arrive,
  Backend,
  Channel,
  ChannelRequest,
  Door,
  Exit,
  Listening,
  Occupant,
  Program,
  Pty,
  Refused,
  Running,
  Sandbox,
  Session,
  Stdio,
  Verdict,
} from '../ports.ts'
import { createWords, type Words } from './words.ts'

/**
 * Of what a channel may set for its program. Linux gives a program 2 MiB for arguments and environment together
 * (execve(2)); without a limit a client could fill the memory of a worker with variables.
 */
const mostVariables = 1000
const mostVariableBytes = 1024 * 1024

const ignore = (): void => undefined
/** Made once: an abort without a reason makes an exception with a stack trace each time. */
const over = new Error('the channel is over')
const accepted: Verdict = { accepted: true, value: undefined }

/** The room's records beside those of the SSH layers. */
const roomLog = (backend: Backend, who: Occupant): Log =>
  who.peer.log.with({ module: 'backend', backend: backend.name, username: who.member.username })

/**
 * A failure becomes a refusal, and its record is written here; anything else that was thrown is a bug and goes on. What
 * failed because the client left, and `signal` said so, is no operator's concern: level debug.
 */
async function verdictOf<T>(log: Log, signal: AbortSignal, task: () => Promise<T>): Promise<Verdict<T>> {
  try {
    return { accepted: true, value: await task() }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return refused(log, error, signal.aborted ? 'debug' : undefined)
  }
}

function refused(log: Log, fault: Fault, level?: Level): Refused {
  log.fault(fault, level)
  return { accepted: false, fault }
}

/**
 * Opens a room for an occupant. The refusal carries the room's fault; a sandbox made after an abort is removed again. A
 * room that has something to say on its way needs a channel for it: then the session begins before the room is there.
 */
export async function enterRoom(backend: Backend, who: Occupant, signal: AbortSignal): Promise<Verdict<Session>> {
  const words = createWords()
  const startMs = performance.now()
  const opening = verdictOf(roomLog(backend, who), signal, () => backend.open(who, signal, words.say))
  const label = backendLabel(backend.name)
  const making = opening.then((verdict) => {
    const labels = { backend: label, result: verdict.accepted ? 'ready' : 'failed' } as const
    if (!signal.aborted) observe('containerssh_backend_ready_seconds', labels, secondsSince(startMs))
    return verdict
  })
  const made = await Promise.race([making, words.spoken])
  if (made === undefined) {
    const sandbox = unwrap(making).finally(words.end)
    return { accepted: true, value: createSession(backend, who, sandbox, words) }
  }
  return made.accepted ? { accepted: true, value: createSession(backend, who, made.value) } : made
}

async function unwrap<T>(verdict: Promise<Verdict<T>>): Promise<T> {
  const settled = await verdict
  if (!settled.accepted) throw settled.fault
  return settled.value
}

/**
 * A session whose sandbox may still be in the making: its channels open at once and their programs wait. When the
 * sandbox cannot be made, each program is refused with its fault.
 */
export function createSession(
  backend: Backend,
  who: Occupant,
  sandbox: Sandbox | Promise<Sandbox>,
  words?: Words,
): Session {
  const pending = Promise.resolve(sandbox)
  let room: string | undefined
  pending.then(
    (made) => {
      room = made.room
    },
    () => undefined, // told to each channel that asks
  )
  const closing = new AbortController()
  const doors = new Set<Listening>()
  const log = roomLog(backend, who)
  return {
    room: () => room,
    async open(id, arrive) {
      const own = log.with({ channelId: id })
      return { accepted: true, value: createChannel(backend, pending, own, closing.signal, arrive, words) }
    },
    dial: (target, origin, signal) => verdictOf(log, signal, async () => (await pending).dial(target, origin, signal)),
    async listen(door, arrive, signal) {
      const verdict = await verdictOf(log, signal, async () => (await pending).listen(door, arrive, signal))
      if (!verdict.accepted) return verdict
      const made = verdict.value
      if (signal.aborted || closing.signal.aborted) return discard(made)
      const kept: Listening = {
        ...made,
        async [Symbol.asyncDispose]() {
          if (doors.delete(kept)) await made[Symbol.asyncDispose]()
        },
      }
      doors.add(kept)
      return { accepted: true, value: kept }
    },
    async [Symbol.asyncDispose]() {
      closing.abort(over)
      const made = await pending.catch(() => undefined)
      for (const door of doors) await door[Symbol.asyncDispose]()
      if (made === undefined) return
      const startMs = performance.now()
      await made[Symbol.asyncDispose]()
      observe('containerssh_backend_removal_seconds', { backend: backendLabel(backend.name) }, secondsSince(startMs))
    },
  }
}

type Start = Extract<ChannelRequest, { kind: 'shell' | 'exec' | 'subsystem' }>

function createChannel(
  backend: Backend,
  sandbox: Promise<Sandbox>,
  log: Log,
  sessionClosing: AbortSignal,
  arrive: Arrive,
  words: Words | undefined,
): Channel {
  const closing = new AbortController()
  const signal = AbortSignal.any([closing.signal, sessionClosing])
  /** Undefined: being opened. */
  let doors: Map<Door['kind'], Listening | undefined> | undefined
  const exit = Promise.withResolvers<Exit>()
  // Nobody watches it when the program's start fails late: that must not end the process.
  exit.promise.catch(ignore)
  const env = new Map<string, string>()
  let envBytes = 0
  let pty: Pty | undefined
  let started = false
  let running: Running | undefined

  const collect = (request: string, keep: () => void): Verdict => {
    if (started) return refused(log, backend.faults.alreadyRunning(request))
    keep()
    return accepted
  }
  const setVariable = (name: string, value: string): Verdict => {
    const before = env.get(name)
    // As C strings: `name=value` and a NUL. At most 3 bytes of UTF-8 per UTF-16 unit, but a limit need not be exact.
    const bytes = before === undefined ? name.length + value.length + 2 : value.length - before.length
    if (!started && (envBytes + bytes > mostVariableBytes || (before === undefined && env.size >= mostVariables))) {
      return refused(log, fault('SSH_ENVIRONMENT_FULL', { mostVariables, mostBytes: mostVariableBytes }))
    }
    return collect('env', () => {
      env.set(name, value)
      envBytes += bytes
    })
  }
  /** X11 and the agent: a door of the room whose address the program learns from its environment; one of each. */
  const openDoor = async (request: string, door: Door): Promise<Verdict> => {
    if (started) return refused(log, backend.faults.alreadyRunning(request))
    doors ??= new Map()
    if (doors.has(door.kind)) return refused(log, second(door))
    doors.set(door.kind, undefined)
    const verdict = await verdictOf(log, signal, async () =>
      (await sandbox).listen(door, limited(door, arrive), signal),
    )
    if (!verdict.accepted) {
      doors.delete(door.kind)
      return verdict
    }
    if (signal.aborted) return discard(verdict.value)
    doors.set(door.kind, verdict.value)
    for (const [name, value] of verdict.value.env) env.set(name, value)
    return accepted
  }
  const start = async (request: Start, stdio: Stdio): Promise<Verdict> => {
    if (started) return refused(log, backend.faults.alreadyRunning(request.kind))
    started = true
    const room = await words?.until(sandbox, stdio.stderr, pty !== undefined)
    if (room?.accepted === false) return room
    const opened = [...(doors?.values() ?? [])].filter((door) => door !== undefined)
    const program: Program = { what: whatOf(request), env, doors: opened, pty, log }
    const startMs = performance.now()
    const verdict = await verdictOf(log, signal, async () => (await sandbox).run(program, stdio, signal))
    const labels = { backend: backendLabel(backend.name), result: verdict.accepted ? 'running' : 'failed' } as const
    if (!signal.aborted) observe('containerssh_backend_program_start_seconds', labels, secondsSince(startMs))
    if (!verdict.accepted) return verdict
    running = verdict.value
    running.exit.then(exit.resolve, exit.reject)
    // Closed while the program started and the room did not look at its signal in time.
    if (signal.aborted) await running[Symbol.asyncDispose]()
    return accepted
  }
  const tell = (request: string, task: (program: Running) => Promise<void>): Promise<Verdict> | Verdict => {
    const program = running
    if (program === undefined) return refused(log, backend.faults.notRunning(request))
    return verdictOf(log, signal, () => task(program))
  }
  return {
    exit: exit.promise,
    room: () => running?.room,
    async request(request, stdio) {
      switch (request.kind) {
        case 'env':
          return setVariable(request.name, request.value)
        case 'pty-req':
          return collect('pty-req', () => {
            pty = request.pty
          })
        case 'shell':
        case 'exec':
        case 'subsystem':
          return start(request, stdio)
        case 'window-change':
          return tell('window-change', (program) => program.resize(request.size, signal))
        case 'signal':
          return tell('signal', (program) => program.signal(request.name, signal))
        case 'x11-req':
          return openDoor('x11-req', { kind: 'x11', x11: request.x11 })
        case 'auth-agent-req@openssh.com':
          return openDoor(request.kind, { kind: 'agent' })
        case 'unknown':
          return refused(log, backend.faults.notSupported(request.type))
        default:
          request satisfies never
          throw new Error('unreachable: a channel request of an unknown kind')
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort(over)
      await running?.[Symbol.asyncDispose]()
      for (const door of doors?.values() ?? []) await door?.[Symbol.asyncDispose]()
    },
  }
}

/** What a room made although nobody wants it any more. */
async function discard(made: AsyncDisposable): Promise<never> {
  await made[Symbol.asyncDispose]()
  throw over
}

const second = ({ kind }: Door): Fault =>
  fault('SSH_FORWARD_LISTEN_FAILED', { door: kind, reason: 'the channel has one already' })

/** RFC 4254 section 6.3.1: the door of a single connection is of no use after the first. */
function limited(door: Door, arrive: Arrive): Arrive {
  if (door.kind !== 'x11' || !door.x11.single) return arrive
  let used = false
  return (from, stream, origin) => {
    if (used) {
      stream.on('error', () => undefined).destroy()
      return
    }
    used = true
    arrive(from, stream, origin)
  }
}

/** RFC 4254 section 6.5 leaves an empty command open; sshd and the Go program's clients expect a shell. */
function whatOf(request: Start): Program['what'] {
  if (request.kind === 'exec') {
    return request.command.trim() === '' ? { kind: 'shell' } : { kind: 'exec', command: request.command }
  }
  return request.kind === 'subsystem' ? { kind: 'subsystem', name: request.name } : { kind: 'shell' }
}
