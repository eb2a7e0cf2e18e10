/**
 * Forwarding into a container by its guest agent: one process for all that is dialled, one for each place that is
 * listened at, each started when the first needs it. Nothing here knows which room it is.
 */
import { randomBytes, randomInt } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { Fault, fault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { type Arrive, type Door, type Listening, type Origin, placeName, type Target } from '../../place.ts'
import { type Link, RefusedError } from './link.ts'
import type { Opening } from './messages.ts'
import type { AgentProcess, Launch } from './process.ts'
import { type Started, startLink } from './start.ts'

export interface Forwarding {
  /** @throws Fault SSH_FORWARD_CONNECT_FAILED, or that of the launch */
  dial(target: Target, origin: Origin, signal: AbortSignal): Promise<Duplex>
  /** @throws Fault SSH_FORWARD_LISTEN_FAILED, or that of the launch */
  listen(door: Door, arrive: Arrive, signal: AbortSignal): Promise<Listening>
}

/** An agent that has been told that nothing more comes, and does not end. */
const endMs = 2000
/** Where old agents listen for a client that leaves the port to us (RFC 6335: dynamic ports), and how often we try. */
const anyPort = [49_152, 65_536] as const
const tries = 5

/** `closing`: the container is about to be removed; nothing has to be tidied up in it any more. */
export function createForwarding(launch: Launch, log: Log, closing: AbortSignal): Forwarding {
  let dialling: Promise<Link> | undefined

  const begin = async (opening: Opening | undefined, arrive: Arrival | undefined, signal: AbortSignal) => {
    const process = await launch(signal)
    const started = await startLink(process, opening, arrive, log, signal)
    return { ...started, process }
  }
  /** Shared by all that dial, so nobody's own signal ends it. */
  const dialLink = async (): Promise<Link> => {
    const known = await dialling?.catch(() => undefined)
    if (known !== undefined && !known.over) return known
    if (dialling === undefined || known !== undefined) dialling = begin(undefined, undefined, closing).then(linkOf)
    const made = dialling
    made.catch(() => {
      if (dialling === made) dialling = undefined
    })
    return made
  }
  const open = async (door: Door, arrive: Arrival, signal: AbortSignal): Promise<Opened> => {
    const opening = openingOf(door)
    const first = await begin(opening, arrive, signal)
    if (first.ready.window !== undefined) return { ...first, opening }
    // An old agent: it says neither port nor path, so they have to be ours.
    if (opening.kind === 'x11' || placed(opening)) return { ...first, opening }
    end(first)
    return again(opening, arrive, signal)
  }
  const again = async (opening: Opening, arrive: Arrival, signal: AbortSignal): Promise<Opened> => {
    for (let left = tries; ; left -= 1) {
      const own: Opening =
        opening.kind === 'tcp'
          ? { ...opening, port: randomInt(...anyPort) }
          : { kind: 'unix', path: `/tmp/containerssh-${randomBytes(12).toString('hex')}` }
      try {
        return { ...(await begin(own, arrive, signal)), opening: own }
      } catch (error) {
        if (!(error instanceof RefusedError) || left === 1) throw error
      }
    }
  }
  const end = ({ link, process }: Started & { process: AgentProcess }): void => {
    link.noMore()
    const overdue = async (): Promise<void> => {
      await sleep(endMs, closing)
      // Old agents miscount connections that failed, and then never end.
      if (!link.over && link.size === 0 && !closing.aborted) process.kill()
    }
    link.whenEmpty(() => {
      overdue().catch(() => undefined)
    })
  }
  return {
    async dial(target, origin, signal) {
      try {
        const link = await abandoned(dialLink(), signal)
        return await link.dial(target, origin, signal)
      } catch (error) {
        throw asRefusal(error, (reason) => fault('SSH_FORWARD_CONNECT_FAILED', { target: placeName(target), reason }))
      }
    },
    async listen(door, arrive, signal) {
      try {
        const opened = await open(door, (stream, origin) => arrive(door, stream, origin), signal)
        return {
          port: portOf(door, opened),
          env: variablesOf(door, opened),
          async [Symbol.asyncDispose]() {
            if (!closing.aborted) end(opened)
          },
        }
      } catch (error) {
        throw asRefusal(error, (reason) => fault('SSH_FORWARD_LISTEN_FAILED', { door: placeName(door), reason }))
      }
    },
  }
}

type Arrival = (stream: Duplex, origin: Origin) => void
interface Opened extends Started {
  readonly process: AgentProcess
  readonly opening: Opening
}
const linkOf = ({ link }: Started): Link => link

const openingOf = (door: Door): Opening => (door.kind === 'agent' ? { kind: 'unix', path: '' } : door)
const placed = (opening: Opening): boolean =>
  opening.kind === 'tcp' ? opening.port !== 0 : opening.kind === 'unix' && opening.path !== ''

function portOf(door: Door, { ready, opening }: Opened): number {
  if (door.kind !== 'tcp' || opening.kind !== 'tcp') return 0
  const port = ready.window === undefined ? opening.port : ready.port
  // What the container says is not trusted: the client would be told of it.
  return Number.isInteger(port) && port > 0 && port <= 65_535 ? port : opening.port
}

/** X11: displays are TCP ports from 6000 on; old agents take the tenth and put the cookie where programs look for it. */
function variablesOf(door: Door, { ready, opening }: Opened): ReadonlyMap<string, string> {
  const isOld = ready.window === undefined
  if (door.kind === 'agent') {
    return new Map([['SSH_AUTH_SOCK', isOld && opening.kind === 'unix' ? opening.path : ready.path]])
  }
  if (door.kind !== 'x11') return new Map()
  const display = isOld ? 10 : ready.port - 6000
  const variables = new Map([['DISPLAY', `localhost:${display}.${door.x11.screen}`]])
  if (!isOld) variables.set('XAUTHORITY', ready.path)
  return variables
}

/** Faults keep their code; whoever left is told nothing any more. */
function asRefusal(error: unknown, make: (reason: string) => Fault): unknown {
  if (error instanceof Fault) return error
  return make(error instanceof RefusedError ? error.message : 'it was given up')
}

/** Waits for what others wait for, too, until the signal. */
function abandoned<T>(shared: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const left = (): void => reject(signal.reason)
    if (signal.aborted) left()
    signal.addEventListener('abort', left, { once: true })
    shared.then(resolve, reject).finally(() => signal.removeEventListener('abort', left))
  })
}
