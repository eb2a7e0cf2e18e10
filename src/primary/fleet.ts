/** The workers: started, given connections, replaced when they die or are to have another configuration, ended together. */
import { handoverFor, type Order, type Phase } from '../shared/ipc/contract.ts'
import type { ControlOrder, ControlReport } from '../shared/ipc/control.ts'
import { type Arrival, hangUp, type Remote, type TcpHandle } from '../shared/ipc/handle.ts'
import type { Outcome } from '../shared/ipc/outcome.ts'
import type { Log, LogRecord } from '../shared/log.ts'
import type { Reported } from '../shared/metric/gauges.ts'
import { count } from '../shared/metric.ts'
import type { AuditReport } from './answers.ts'
import { type Crew, createCrews, release } from './crews.ts'
import { createPassage, type Passage } from './passage.ts'
import { hangs, inspect, isSeating, orderDrain, type Post, type PostContext, type Stage } from './post.ts'

const LOOK_MS = 2000
/** After the deadline of a drain: workers remove the containers of connections that they cut. */
export const GRACE_MS = 8000

export interface FleetEvents {
  authenticated(ticket: number): void
  /** The connection is over. Exactly once for each ticket that `give` took. */
  closed(ticket: number, outcome: Outcome): void
  /** Who is behind a proxy: his country, or what he reads before he is turned away; undefined if nobody asked. */
  identify(ticket: number, remote: Remote): { readonly country: string } | { readonly line: string } | undefined
  /** `sender` is the same object for all messages of a worker process; `remote`: who connected, or the proxy in front. */
  audit(report: AuditReport, sender: AuditSender, remote: Arrival): void
  /** An answer to an order of `ask`, or something that pretends to be one. */
  control(report: ControlReport, worker: number): void
}
export interface AuditSender {
  /** Does nothing after the worker's death. */
  reply(order: Extract<Order, { kind: 'audit-stored' | 'audit-failed' }>): void
  /** It did something that only a worker does that was taken over, or is broken: ends it. */
  offend(what: string): void
}
export interface FleetOptions {
  readonly crew: Crew
  /** The module that the processes run. */
  readonly entry: URL
  readonly log: Log
  /** Records of the workers. */
  write(record: LogRecord): void
  readonly events: FleetEvents
  /** A worker that has given no sign of life for longer is killed. */
  readonly silenceMs: number
}
export interface WorkerState {
  readonly number: number
  readonly stage: Stage
  readonly pid: number
  readonly phase: Phase
  readonly connections: number
  /** Messages to it that the pipe has not taken. */
  readonly queuedBytes: number
  /** The last it said of itself. */
  readonly reported: Reported | undefined
}
export interface Fleet {
  /**
   * Resolves when every worker is ready. To be called once.
   * @throws Fault WORKER_START_FAILED of the first that cannot start; the others are then ended.
   */
  start(): Promise<void>
  /** Takes ownership of the handle if it returns true. Connections wait while no worker is ready, up to a bound. */
  give(handle: TcpHandle, ticket: number, remote: Arrival, proxied: boolean): boolean
  /**
   * Other workers instead of those that take connections now, which keep the ones that they have. Resolves when the new
   * ones serve. Not to be called again before.
   * @throws Fault WORKER_START_FAILED; then everything is as before
   */
  replace(crew: Crew): Promise<void>
  /** No worker takes connections any more. Resolves when all are gone, at the latest after `retireMs` and `drainMs`. */
  retire(): Promise<void>
  /** Ends all workers: gracefully within `deadlineMs`, a few seconds more to clean up. Resolves when they are gone. */
  drain(deadlineMs: number): Promise<void>
  /** False: there is no such worker, or it does not serve. */
  ask(worker: number, order: ControlOrder): boolean
  has(ticket: number, worker: number): boolean
  /** Ends all workers now. */
  kill(): void
  /** Those that live. */
  readonly workers: readonly WorkerState[]
  /** Those that do not, and will be started again. */
  readonly missing: number
  /** All that are to take connections do. */
  readonly isServing: boolean
  /** Some worker takes connections, and none hangs. */
  readonly isLively: boolean
}

export function createFleet(options: FleetOptions): Fleet {
  const posts: Post[] = []
  const passage = createPassage(hangUp)
  const stopping = new AbortController()
  const crews = createCrews(options.crew, posts, {
    log: options.log,
    contextFor: (crew) => contextOf(options, crew, posts, passage, stopping.signal),
    load: passage.load,
  })
  let looking: NodeJS.Timeout | undefined
  const kill = (): void => {
    stopping.abort()
    for (const post of posts) post.process?.kill()
  }
  return {
    async start() {
      looking = setInterval(() => look(options, posts, passage), LOOK_MS)
      try {
        await crews.begin()
      } catch (error) {
        kill()
        await crews.ended()
        throw error
      }
    },
    async replace(crew) {
      await crews.replace(crew)
      seat(posts, passage)
    },
    async retire() {
      crews.retire()
      await crews.ended()
    },
    give(handle, ticket, remote, proxied) {
      if (stopping.signal.aborted) return false
      if (!passage.park(handle, ticket, remote, proxied, !posts.some(isSeating))) return false
      seat(posts, passage)
      return true
    },
    async drain(deadlineMs) {
      stopping.abort()
      closeAll(options, passage.abandon())
      for (const post of posts) orderDrain(post, deadlineMs)
      const late = setTimeout(kill, deadlineMs + GRACE_MS)
      await crews.ended()
      clearTimeout(late)
      clearInterval(looking)
      closeAll(options, passage.abandon())
    },
    ask(worker, order) {
      const link = posts.find(({ number }) => number === worker)?.process?.link
      if (link === undefined || link.phase === 'starting' || !link.open) return false
      link.send(order)
      return true
    },
    has: passage.has,
    kill,
    get workers() {
      return posts.flatMap((post) => stateOf(post, passage))
    },
    get missing() {
      return posts.filter(({ process }) => process === undefined).length
    },
    get isServing() {
      const current = posts.filter(({ stage }) => stage === 'current')
      return current.length > 0 && current.every(isSeating)
    },
    get isLively() {
      return posts.some(isSeating) && !posts.some((post) => hangs(post, LOOK_MS, options.silenceMs))
    },
  }
}

function contextOf(
  options: FleetOptions,
  { configure, account, withheld }: Crew,
  posts: readonly Post[],
  passage: Passage,
  stopping: AbortSignal,
): PostContext {
  const { entry, log, write, events } = options
  return {
    entry,
    account,
    withheld,
    log,
    write,
    configure,
    stopping,
    load: passage.load,
    ready: () => seat(posts, passage),
    taken(ticket, worker) {
      passage.taken(ticket, worker)
      seat(posts, passage)
    },
    // A worker may speak of its own connections only.
    authenticated(ticket, worker) {
      if (passage.has(ticket, worker)) events.authenticated(ticket)
    },
    closed(ticket, worker, outcome) {
      if (!passage.leave(ticket, worker)) return
      events.closed(ticket, outcome)
      for (const post of posts) if (post.number === worker) release(post, passage.load)
    },
    identify(ticket, worker, remote) {
      const answer = passage.has(ticket, worker) ? events.identify(ticket, remote) : undefined
      if (answer === undefined) return undefined
      return { ticket, ...('line' in answer ? { kind: 'refuse', ...answer } : { kind: 'admitted', ...answer }) }
    },
    audit(report, worker) {
      const remote = passage.remoteOf(report.ticket, worker)
      const sender = posts.find(({ number }) => number === worker)?.auditSender
      if (remote !== undefined && sender !== undefined) events.audit(report, sender, remote)
    },
    control: events.control,
    died({ number }, owner) {
      closeAll(options, passage.orphan(number))
      if (stopping.aborted) return
      if (owner !== undefined) posts.find(isSeating)?.process?.link.send({ kind: 'reap', owners: [owner] })
      seat(posts, passage)
    },
  }
}

/** Passes what waits to the workers with the fewest connections, as long as there is one that is not behind. */
function seat(posts: readonly Post[], passage: Passage): void {
  for (const passenger of passage.parked()) {
    const best = leastLoaded(posts, passage)
    if (best?.process === undefined || passenger.handle === undefined) return
    passage.assign(passenger, best.number)
    const { ticket, remote, proxied } = passenger
    best.process.pass(passenger.handle, handoverFor(ticket, remote, proxied))
  }
}

function leastLoaded(posts: readonly Post[], passage: Passage): Post | undefined {
  let best: Post | undefined
  for (const post of posts) {
    if (!isSeating(post) || passage.isBehind(post.number)) continue
    if (best === undefined || passage.load(post.number) < passage.load(best.number)) best = post
  }
  return best
}

function look({ log, events, silenceMs }: FleetOptions, posts: readonly Post[], passage: Passage): void {
  for (const { ticket, remote } of passage.expire(performance.now())) {
    log.emit('SSH_CONNECTION_REFUSED', { remoteAddr: remote.address, reason: 'no worker took it in time' })
    count('containerssh_ssh_refusals_total', { reason: 'busy' })
    events.closed(ticket, 'server')
  }
  seat(posts, passage)
  for (const post of posts) inspect(post, log, LOOK_MS, silenceMs)
}

function closeAll({ events }: FleetOptions, tickets: readonly number[]): void {
  for (const ticket of tickets) events.closed(ticket, 'server')
}

function stateOf({ number, stage, process, reported }: Post, passage: Passage): WorkerState[] {
  if (process === undefined) return []
  const { pid, link } = process
  const { phase, queuedBytes } = link
  return [{ number, stage, pid, phase, connections: passage.load(number), queuedBytes, reported }]
}
