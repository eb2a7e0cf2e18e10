/** The workers: started, given connections, replaced when they die, ended together. */
import { type Fault, fault } from '../shared/codes/fault.ts'
import { sleep } from '../shared/deadline.ts'
import { LOAD_INTERVAL_MS, type Order } from '../shared/ipc/contract.ts'
import type { Remote, TcpHandle } from '../shared/ipc/handle.ts'
import type { Log, LogRecord } from '../shared/log.ts'
import { type Backoff, backoff } from '../shared/retry.ts'
import { answer } from './answers.ts'
import { createPassage } from './passage.ts'
import { startWorkerProcess, type WorkerEnd, type WorkerProcess } from './worker-process.ts'

const START_MS = 30_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 30_000
/** A worker that has served this long was a good one: the next death is the first again. */
const STABLE_MS = 60_000
/** Looks without a sign of life, LOAD_INTERVAL_MS apart. Counted, not timed: a suspended machine must not kill its workers. */
const SILENT_LOOKS = 30
/** After the deadline of a drain: workers remove the containers of connections that they cut. */
const GRACE_MS = 8000

export interface FleetEvents {
  authenticated(ticket: number): void
  /** The connection is over. Exactly once for each ticket that `give` took. */
  closed(ticket: number): void
}
export interface FleetOptions {
  readonly count: number
  /** The module that the processes run. */
  readonly entry: URL
  readonly log: Log
  /** Records of the workers. */
  write(record: LogRecord): void
  configure(worker: number): Extract<Order, { kind: 'configure' }>
  readonly events: FleetEvents
}
export interface WorkerState {
  readonly number: number
  readonly pid: number
  readonly phase: 'starting' | 'serving' | 'draining'
  readonly connections: number
}
export interface Fleet {
  /**
   * Resolves when every worker is ready. To be called once.
   * @throws Fault WORKER_START_FAILED of the first that cannot start; the others are then ended.
   */
  start(): Promise<void>
  /** Takes ownership of the handle if it returns true. Connections wait while no worker is ready, up to a bound. */
  give(handle: TcpHandle, ticket: number, remote: Remote): boolean
  /** Ends all workers: gracefully within `deadlineMs`, a few seconds more to clean up. Resolves when they are gone. */
  drain(deadlineMs: number): Promise<void>
  /** Ends all workers now. */
  kill(): void
  readonly workers: readonly WorkerState[]
}

/** One place in the fleet: a process, and after its death the next one. */
interface Post {
  readonly number: number
  readonly pauses: Backoff
  process: WorkerProcess | undefined
  owner: string | undefined
  readySince: number
  silentLooks: number
  launches: number
  failure: LogRecord | undefined
}

export function createFleet(options: FleetOptions): Fleet {
  const { log, events } = options
  const posts = Array.from({ length: options.count }, (_, index): Post => newPost(index + 1))
  const passage = createPassage()
  const stopping = new AbortController()
  const gone: Promise<void>[] = []
  let look: NodeJS.Timeout | undefined

  const serving = (): Post[] => posts.filter((post) => post.process?.link.phase === 'serving' && post.process.link.open)
  const close = (tickets: readonly number[]): void => {
    for (const ticket of tickets) events.closed(ticket)
  }
  /** To the one with the fewest, as long as there is one. */
  const seat = (): void => {
    const workers = serving()
    for (const passenger of passage.parked()) {
      const best = leastLoaded(workers, passage.load)
      if (best?.process === undefined || passenger.handle === undefined) return
      passage.assign(passenger, best.number)
      best.process.pass(passenger.handle, [passenger.ticket, passenger.remote.address, passenger.remote.port])
    }
  }
  const scopeOf = (post: Post, ready: () => void) => ({
    worker: post.number,
    log,
    write: options.write,
    ready(owner: string) {
      post.owner = owner
      post.readySince = performance.now()
      if (post.process !== undefined) post.process.link.phase = 'serving'
      log.emit('WORKER_STARTED', { worker: post.number, pid: post.process?.pid ?? 0 })
      ready()
      seat()
    },
    taken: (ticket: number) => passage.taken(ticket, post.number),
    authenticated(ticket: number) {
      if (passage.has(ticket, post.number)) events.authenticated(ticket)
    },
    closed(ticket: number) {
      if (passage.leave(ticket, post.number)) events.closed(ticket)
    },
    failed(record: LogRecord) {
      post.failure = record
    },
  })
  const launch = (post: Post, ready: () => void): Promise<WorkerEnd> => {
    const scope = scopeOf(post, ready)
    post.failure = undefined
    post.owner = undefined
    post.silentLooks = 0
    post.launches += 1
    const { number } = post
    const process = startWorkerProcess({
      number,
      entry: options.entry,
      log,
      receive(report) {
        post.silentLooks = 0
        answer(report, scope)
      },
    })
    post.process = process
    process.link.send(options.configure(number))
    return process.ended
  }
  const bury = (post: Post, end: WorkerEnd): void => {
    const { number, process, owner, failure } = post
    const connections = passage.load(number)
    const expected = stopping.signal.aborted
    process?.link.close()
    post.process = undefined
    // A failure of the very first start is what `start()` throws.
    if (failure !== undefined && (owner !== undefined || post.launches > 1)) options.write(failure)
    const labels = { worker: number, pid: process?.pid ?? 0, connections, exitCode: end.exitCode, signal: end.signal }
    log.emit('WORKER_EXITED', labels, expected ? { level: 'info' } : {})
    close(passage.orphan(number))
    if (expected) return
    if (owner !== undefined) serving()[0]?.process?.link.send({ kind: 'reap', owners: [owner] })
    seat()
  }
  /** Keeps the post filled until the fleet is told to end. `first` settles with the first process. */
  const keep = async (post: Post, first: PromiseWithResolvers<void>): Promise<void> => {
    while (!stopping.signal.aborted) {
      const starting = startLimit(post, first)
      try {
        bury(post, await launch(post, starting.ready))
      } catch (error) {
        log.emit('WORKER_START_FAILED', startFailure(post, error), { level: 'error' })
      }
      starting.ended()
      if (stopping.signal.aborted) return
      if (post.readySince > 0 && performance.now() - post.readySince > STABLE_MS) post.pauses.reset()
      post.readySince = 0
      const delayMs = post.pauses.next()
      log.emit('WORKER_RESTART_DELAYED', { worker: post.number, delayMs })
      await sleep(delayMs, stopping.signal)
    }
  }
  const inspect = (): void => {
    for (const { ticket, remote } of passage.expire(performance.now())) {
      log.emit('SSH_CONNECTION_REFUSED', { remoteAddr: remote.address, reason: 'no worker took it in time' })
      events.closed(ticket)
    }
    for (const post of posts) {
      if (post.process === undefined || post.process.link.phase !== 'serving') continue
      post.silentLooks += 1
      if (post.silentLooks <= SILENT_LOOKS) continue
      log.emit('WORKER_UNRESPONSIVE', { worker: post.number, silentMs: post.silentLooks * LOAD_INTERVAL_MS })
      post.process.kill()
    }
  }
  const kill = (): void => {
    stopping.abort()
    for (const post of posts) post.process?.kill()
  }

  return {
    async start() {
      look = setInterval(inspect, LOAD_INTERVAL_MS)
      const firsts = posts.map((post) => {
        const first = Promise.withResolvers<void>()
        gone.push(keep(post, first))
        return first.promise
      })
      try {
        await Promise.all(firsts)
      } catch (error) {
        kill()
        await Promise.all(gone)
        throw error
      }
    },
    give(handle, ticket, remote) {
      if (stopping.signal.aborted || !passage.park(handle, ticket, remote)) return false
      seat()
      return true
    },
    async drain(deadlineMs) {
      stopping.abort()
      close(passage.abandon())
      for (const { process } of posts) {
        if (process?.link.phase === 'serving') {
          process.link.send({ kind: 'drain', deadlineMs })
          process.link.phase = 'draining'
        } else process?.kill() // still starting: it has nothing to lose
      }
      const late = setTimeout(kill, deadlineMs + GRACE_MS)
      await Promise.all(gone)
      clearTimeout(late)
      clearInterval(look)
      close(passage.abandon())
    },
    kill,
    get workers() {
      return posts.flatMap(({ number, process }) =>
        process === undefined
          ? []
          : [{ number, pid: process.pid, phase: process.link.phase, connections: passage.load(number) }],
      )
    },
  }
}

const newPost = (number: number): Post => ({
  number,
  pauses: backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS),
  process: undefined,
  owner: undefined,
  readySince: 0,
  silentLooks: 0,
  launches: 0,
  failure: undefined,
})

function leastLoaded(posts: readonly Post[], load: (worker: number) => number): Post | undefined {
  let best: Post | undefined
  for (const post of posts) if (best === undefined || load(post.number) < load(best.number)) best = post
  return best
}

/** Ends a process that does not become ready, and settles `first` with what became of it. */
function startLimit(post: Post, first: PromiseWithResolvers<void>): { ready(): void; ended(): void } {
  const timer = setTimeout(() => post.process?.kill(), START_MS)
  return {
    ready() {
      clearTimeout(timer)
      first.resolve()
    },
    ended() {
      clearTimeout(timer)
      first.reject(startFault(post))
    },
  }
}

const startFailure = (post: Post, error: unknown): { worker: number; reason: string } => ({
  worker: post.number,
  reason: error instanceof Error ? error.message : String(error),
})

const startFault = (post: Post): Fault =>
  fault('WORKER_START_FAILED', {
    worker: post.number,
    reason: post.failure?.message ?? 'the process ended before it was ready',
  })
