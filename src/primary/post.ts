/** One place in the fleet: a worker process and, after its death, the next one, with growing pauses. */
import { type Fault, fault } from '../shared/codes/fault.ts'
import { sleep } from '../shared/deadline.ts'
import type { Order } from '../shared/ipc/contract.ts'
import type { ControlReport } from '../shared/ipc/control.ts'
import type { Remote } from '../shared/ipc/handle.ts'
import type { Outcome } from '../shared/ipc/outcome.ts'
import type { Log, LogRecord } from '../shared/log.ts'
import type { Reported } from '../shared/metric/gauges.ts'
import { count } from '../shared/metric.ts'
import { type Backoff, backoff } from '../shared/retry.ts'
import { type AnswerScope, type AuditReport, answer } from './answers.ts'
import type { AuditSender } from './fleet.ts'
import { startWorkerProcess, type WorkerEnd, type WorkerProcess } from './worker-process.ts'
import { type Account, nameOfThis } from './worker-user.ts'

const START_MS = 30_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 30_000
/** A worker that has served this long was a good one: the next death is the first again. */
const STABLE_MS = 60_000

/** Rising: its configuration is not in force yet. Retired: it keeps the connections that it has, and ends with the last. */
export type Stage = 'rising' | 'current' | 'retired'

export interface Post {
  /** Never used again in this fleet. */
  readonly number: number
  stage: Stage
  /** Aborted when it is retired. */
  readonly retiring: AbortController
  readonly pauses: Backoff
  process: WorkerProcess | undefined
  /** Of this process. */
  auditSender: AuditSender | undefined
  /** Label of the process's containers, once it is ready. */
  owner: string | undefined
  /** Of `performance.now()`; 0 while not ready. */
  readySince: number
  silentLooks: number
  /** It was killed because it did not answer. */
  isHung: boolean
  /** The last it said of itself. */
  reported: Reported | undefined
  launches: number
  /** The last words of the process. */
  failure: LogRecord | undefined
}

export interface PostContext {
  /** The module that the processes run. */
  readonly entry: URL
  /** As whom they run; undefined: as we do. */
  readonly account: Account | undefined
  /** Variables of ours that they do not get. */
  readonly withheld: readonly string[]
  readonly log: Log
  /** Aborted when the fleet ends: from then on deaths are expected and nothing is started. */
  readonly stopping: AbortSignal
  /** Records of the worker. */
  write(record: LogRecord): void
  configure(worker: number): Extract<Order, { kind: 'configure' }>
  /** Connections that the worker has or is being given. */
  load(worker: number): number
  ready(post: Post): void
  taken(ticket: number, worker: number): void
  authenticated(ticket: number, worker: number): void
  closed(ticket: number, worker: number, outcome: Outcome): void
  /** What the worker shall do with a proxied connection; undefined if it must not ask. */
  identify(ticket: number, worker: number, remote: Remote): Order | undefined
  /** The audit log of one of the worker's connections. */
  audit(report: AuditReport, worker: number): void
  /** For an operator who asked. */
  control(report: ControlReport, worker: number): void
  /** The process has ended; `owner` is the label of what it may have left behind. */
  died(post: Post, owner: string | undefined): void
}

export const newPost = (number: number, stage: Stage): Post => ({
  number,
  stage,
  retiring: new AbortController(),
  pauses: backoff(FIRST_PAUSE_MS, LONGEST_PAUSE_MS),
  process: undefined,
  auditSender: undefined,
  owner: undefined,
  readySince: 0,
  silentLooks: 0,
  isHung: false,
  reported: undefined,
  launches: 0,
  failure: undefined,
})

const isServing = ({ process }: Post): boolean => process?.link.phase === 'serving' && process.link.open
/** New connections may go to it. */
export const isSeating = (post: Post): boolean => post.stage === 'current' && isServing(post)

const isOver = (post: Post, { stopping }: PostContext): boolean => stopping.aborted || post.retiring.signal.aborted

/**
 * Keeps the post filled until the fleet ends or the post is retired. `first` settles with the first process: resolved when it is ready,
 * rejected with a Fault when it ended before.
 */
export async function keep(post: Post, context: PostContext, first: PromiseWithResolvers<void>): Promise<void> {
  while (!isOver(post, context)) {
    const limit = setTimeout(() => post.process?.kill(), START_MS)
    try {
      const end = await launch(post, context, () => {
        clearTimeout(limit)
        first.resolve()
      })
      bury(post, context, end)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      context.log.emit('WORKER_START_FAILED', { worker: post.number, reason }, { level: 'error' })
    }
    clearTimeout(limit)
    first.reject(startFault(post))
    if (!isOver(post, context)) await pause(post, context)
  }
  first.reject(startFault(post)) // if it was over before it began
}

function launch(post: Post, context: PostContext, ready: () => void): Promise<WorkerEnd> {
  post.failure = undefined
  post.owner = undefined
  post.silentLooks = 0
  post.isHung = false
  post.reported = undefined
  post.launches += 1
  const { number } = post
  const scope = scopeOf(post, context, ready)
  const process = startWorkerProcess({
    number,
    entry: context.entry,
    account: context.account,
    withheld: context.withheld,
    log: context.log,
    receive(report) {
      post.silentLooks = 0
      answer(report, scope)
    },
  })
  post.process = process
  post.auditSender = {
    reply: (order) => void process.link.send(order),
    offend: process.offend,
  }
  process.link.send(context.configure(number))
  return process.ended
}

function scopeOf(post: Post, context: PostContext, ready: () => void): AnswerScope {
  const { number: worker } = post
  const { log, write } = context
  return {
    worker,
    log,
    write,
    ready(owner) {
      const { process } = post
      if (process === undefined) return
      post.owner = owner
      post.readySince = performance.now()
      process.link.phase = 'serving'
      log.emit('WORKER_STARTED', { worker, pid: process.pid, user: context.account?.name ?? nameOfThis() })
      ready()
      context.ready(post)
    },
    reported(gauges) {
      post.reported = gauges
    },
    taken: (ticket) => context.taken(ticket, worker),
    authenticated: (ticket) => context.authenticated(ticket, worker),
    closed: (ticket, outcome) => context.closed(ticket, worker, outcome),
    source(ticket, remote) {
      const order = context.identify(ticket, worker, remote)
      if (order !== undefined) post.process?.link.send(order)
    },
    audit: (report) => context.audit(report, worker),
    control: (report) => context.control(report, worker),
    failed(record) {
      post.failure = record
    },
  }
}

function bury(post: Post, context: PostContext, { exitCode, signal }: WorkerEnd): void {
  const { number: worker, process, owner, failure } = post
  process?.link.close()
  post.process = undefined
  post.auditSender = undefined
  // A failure of the very first start is the rejection of `first`.
  if (failure !== undefined && (owner !== undefined || post.launches > 1)) context.write(failure)
  const reason = context.stopping.aborted ? 'stop' : post.isHung ? 'hang' : 'crash'
  count('containerssh_worker_exits_total', { reason })
  const labels = { worker, pid: process?.pid ?? 0, connections: context.load(worker), exitCode, signal }
  const isExpected = context.stopping.aborted || (post.stage === 'retired' && exitCode === 0)
  context.log.emit('WORKER_EXITED', labels, isExpected ? { level: 'info' } : {})
  context.died(post, owner)
}

async function pause(post: Post, { log, stopping }: PostContext): Promise<void> {
  if (post.readySince > 0 && performance.now() - post.readySince > STABLE_MS) post.pauses.reset()
  post.readySince = 0
  const delayMs = post.pauses.next()
  log.emit('WORKER_RESTART_DELAYED', { worker: post.number, delayMs })
  await sleep(delayMs, AbortSignal.any([stopping, post.retiring.signal]))
}

const startFault = (post: Post): Fault =>
  fault('WORKER_START_FAILED', {
    worker: post.number,
    reason: post.failure?.message ?? 'the process ended before it was ready',
  })

/** No sign of life from it at more looks, `lookMs` apart, than `silenceMs` holds. */
export const hangs = (post: Post, lookMs: number, silenceMs: number): boolean =>
  isServing(post) && post.silentLooks * lookMs > silenceMs

/** Ends a process whose event loop does not turn any more. To be called every `lookMs`. */
export function inspect(post: Post, log: Log, lookMs: number, silenceMs: number): void {
  // Counted, not timed: a suspended machine kills no worker.
  if (isServing(post)) post.silentLooks += 1
  if (!hangs(post, lookMs, silenceMs)) return
  log.emit('WORKER_UNRESPONSIVE', { worker: post.number, silentMs: post.silentLooks * lookMs })
  post.isHung = true
  post.process?.kill()
}

export function orderDrain({ process }: Post, deadlineMs: number): void {
  if (process?.link.phase === 'serving') {
    process.link.send({ kind: 'drain', deadlineMs })
    process.link.phase = 'draining'
  } else if (process?.link.phase === 'starting') process.kill() // it has nothing to lose
}

/** It gets no more connections and, after its death, no other process. */
export function retire(post: Post, log: Log, connections: number): void {
  post.stage = 'retired'
  post.retiring.abort()
  const { number: worker, process } = post
  if (process === undefined) return
  log.emit('WORKER_RETIRED', { worker, pid: process.pid, connections })
  if (isServing(post)) process.link.send({ kind: 'retire' })
}
