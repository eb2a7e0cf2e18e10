/** One place that is listened at by an agent of its own, from its opening to its end. */
import { randomBytes, randomInt } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Door, Origin } from '../../place.ts'
import { RefusedError } from './link.ts'
import type { Opening } from './messages.ts'
import type { AgentProcess, Launch } from './process.ts'
import { type Started, startLink } from './start.ts'

/** What all agents of a container share. */
export interface Agents {
  readonly launch: Launch
  readonly log: Log
  /** The container is about to be removed; nothing has to be tidied up in it any more. */
  readonly closing: AbortSignal
}
export type Arrival = (stream: Duplex, origin: Origin) => void
interface Begun extends Started {
  readonly process: AgentProcess
}
export interface Opened extends Begun {
  readonly opening: Opening
}

/** An agent that has been told that nothing more comes, and does not end. */
const endMs = 2000
/** Where old agents listen for a client that leaves the port to us (RFC 6335: dynamic ports), and how often we try. */
const anyPort = [49_152, 65_536] as const
const tries = 5

/** `opening`: undefined for one that dials. @throws Fault of the launch; RefusedError; the signal's reason */
export async function begin(
  { launch, log }: Agents,
  opening: Opening | undefined,
  arrive: Arrival | undefined,
  signal: AbortSignal,
): Promise<Begun> {
  const process = await launch(signal)
  return { ...(await startLink(process, opening, arrive, log, signal)), process }
}

/** @throws as `begin` */
export async function openDoor(agents: Agents, door: Door, arrive: Arrival, signal: AbortSignal): Promise<Opened> {
  const opening: Opening = door.kind === 'agent' ? { kind: 'unix', path: '' } : door
  const first = await begin(agents, opening, arrive, signal)
  if (first.ready.window !== undefined || isPlaced(opening)) return { ...first, opening }
  // An old agent: it says neither port nor path, so they have to be ours.
  endDoor(agents, first)
  for (let left = tries; ; left -= 1) {
    const own = place(opening)
    try {
      return { ...(await begin(agents, own, arrive, signal)), opening: own }
    } catch (error) {
      if (!(error instanceof RefusedError) || left === 1) throw error
    }
  }
}

const isPlaced = (opening: Opening): boolean =>
  opening.kind === 'x11' || (opening.kind === 'tcp' ? opening.port !== 0 : opening.path !== '')
const place = (opening: Opening): Opening =>
  opening.kind === 'tcp'
    ? { ...opening, port: randomInt(...anyPort) }
    : { kind: 'unix', path: `/tmp/containerssh-${randomBytes(12).toString('hex')}` }

/** Nothing more arrives. The agent ends after its last connection. */
export function endDoor({ closing }: Agents, { link, process }: Begun): void {
  if (closing.aborted) return
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

export function portOf(door: Door, { ready, opening }: Opened): number {
  if (door.kind !== 'tcp' || opening.kind !== 'tcp') return 0
  const port = ready.window === undefined ? opening.port : ready.port
  // What the container says is not trusted: the client would be told of it.
  return Number.isInteger(port) && port > 0 && port <= 65_535 ? port : opening.port
}

/** X11: displays are TCP ports from 6000 on; old agents take the tenth and put the cookie where programs look for it. */
export function variablesOf(door: Door, { ready, opening }: Opened): ReadonlyMap<string, string> {
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
