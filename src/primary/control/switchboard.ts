/**
 * Asks the workers what operators want to know, and puts their answers together. A worker that was taken over can lie
 * about its own connections, and about nothing else: whatever was not asked of it is ignored.
 */
import { within } from '../../shared/deadline.ts'
import {
  type ConnectionState,
  type ControlOrder,
  type ControlReport,
  WATCH_WINDOW_BYTES,
} from '../../shared/ipc/control.ts'
import type { Fleet } from '../fleet.ts'
import type { Stage } from '../post.ts'

/** A worker whose event loop does not turn must not keep an operator waiting. */
const ANSWER_MS = 3000

/** Of one worker: far more than it can have, for one that does not stop. */
const MOST_LISTED = 100_000

/** A connection, and who has it. */
export interface Located extends ConnectionState {
  readonly worker: number
  readonly pid: number
  readonly stage: Stage
}
export interface Listing {
  readonly connections: readonly Located[]
  /** Workers that did not answer in time. */
  readonly silent: readonly number[]
}
export interface Watcher {
  take(report: Extract<ControlReport, { kind: 'watched' | 'watched-size' }>): void
  /** The connection is over. Nothing comes after it. */
  over(): void
}
export interface Watching {
  /** So many bytes have been taken: as many more may come. */
  more(bytes: number): void
  stop(): void
}

export interface Switchboard {
  list(): Promise<Listing>
  /** Resolves to the number of programs that it was written to. @throws DeadlineError */
  tell(where: Located, text: string, stderr: boolean): Promise<number>
  /** Resolves to false when the connection was over already. @throws DeadlineError */
  expel(where: Located, text: string): Promise<boolean>
  /** `channel` -1: all. Undefined: the connection was over already. @throws DeadlineError */
  watch(where: Located, channel: number, watcher: Watcher): Promise<Watching | undefined>
  /** Operators who watch; `ticket`: only of this connection. */
  watching(ticket?: number): number
  /** Of all connections that are there; for the fleet. */
  report(report: ControlReport, worker: number): void
  closed(ticket: number): void
}

interface Asked {
  readonly worker: number
  readonly found: ConnectionState[]
  readonly answer: PromiseWithResolvers<number>
}
interface Watched {
  readonly worker: number
  readonly ticket: number
  readonly watcher: Watcher
  /** What the worker may still send. */
  creditBytes: number
}

export function createSwitchboard(fleetOf: () => Pick<Fleet, 'ask' | 'has' | 'workers'>): Switchboard {
  const asked = new Map<number, Asked>()
  const watched = new Map<number, Watched>()
  let last = 0

  /** Undefined: no such worker. @throws DeadlineError */
  const ask = async (worker: number, order: (request: number) => ControlOrder): Promise<Answer | undefined> => {
    const request = ++last
    const one: Asked = { worker, found: [], answer: Promise.withResolvers<number>() }
    asked.set(request, one)
    try {
      if (!fleetOf().ask(worker, order(request))) return undefined
      const count = await within(`an answer of worker ${worker}`, ANSWER_MS, undefined, () => one.answer.promise)
      return { count, found: one.found }
    } finally {
      asked.delete(request)
    }
  }
  const stop = (watch: number): void => {
    const one = watched.get(watch)
    if (one === undefined) return
    watched.delete(watch)
    fleetOf().ask(one.worker, { kind: 'unwatch', watch })
  }
  const more = (watch: number, bytes: number): void => {
    const one = watched.get(watch)
    if (one === undefined) return
    one.creditBytes += bytes
    fleetOf().ask(one.worker, { kind: 'watch-more', watch, bytes })
  }
  const own = (request: number, worker: number): Asked | undefined => {
    const one = asked.get(request)
    return one?.worker === worker ? one : undefined
  }
  const passOn = (report: Extract<ControlReport, { kind: 'watched' | 'watched-size' }>, worker: number): void => {
    const one = watched.get(report.watch)
    if (one?.worker !== worker || !fleetOf().has(one.ticket, worker)) return
    if (report.kind === 'watched') {
      if (report.bytes.length > one.creditBytes) return
      one.creditBytes -= report.bytes.length
    }
    one.watcher.take(report)
  }
  return {
    async list() {
      const fleet = fleetOf()
      const { workers } = fleet
      const answers = await Promise.allSettled(workers.map(({ number }) => ask(number, listOrder)))
      const silent: number[] = []
      const connections = answers.flatMap((answer, index) => {
        const { number: worker = 0, pid = 0, stage = 'current' } = workers[index] ?? {}
        if (answer.status === 'rejected') silent.push(worker)
        const found = answer.status === 'fulfilled' ? (answer.value?.found ?? []) : []
        const byTicket = new Map(found.map((one) => [one.ticket, one]))
        const real = [...byTicket.values()].filter(({ ticket }) => fleet.has(ticket, worker))
        return real.map((one): Located => ({ ...one, worker, pid, stage }))
      })
      return { connections, silent }
    },
    async tell({ worker, ticket }, text, stderr) {
      const answer = await ask(worker, (request) => ({ kind: 'tell', request, ticket, text, stderr }))
      return answer?.count ?? 0
    },
    async expel({ worker, ticket }, text) {
      const answer = await ask(worker, (request) => ({ kind: 'expel', request, ticket, text }))
      return answer !== undefined && answer.count > 0
    },
    async watch({ worker, ticket }, channel, watcher) {
      const watch = ++last
      watched.set(watch, { worker, ticket, watcher, creditBytes: WATCH_WINDOW_BYTES })
      try {
        const answer = await ask(worker, (request) => ({ kind: 'watch', request, ticket, watch, channel }))
        if (answer !== undefined && answer.count > 0) {
          return { more: (bytes) => more(watch, bytes), stop: () => stop(watch) }
        }
      } catch (error) {
        stop(watch)
        throw error
      }
      watched.delete(watch)
      return undefined
    },
    watching: (ticket) =>
      ticket === undefined ? watched.size : [...watched.values()].filter((one) => one.ticket === ticket).length,
    report(report, worker) {
      switch (report.kind) {
        case 'connections': {
          const one = own(report.request, worker)
          if (one === undefined) return
          if (one.found.length < MOST_LISTED) one.found.push(...report.connections)
          if (!report.last) return
          one.answer.resolve(0)
          asked.delete(report.request)
          return
        }
        case 'done':
          own(report.request, worker)?.answer.resolve(report.count)
          return
        default:
          passOn(report, worker)
      }
    },
    closed(ticket) {
      for (const [watch, one] of watched) {
        if (one.ticket !== ticket) continue
        stop(watch)
        one.watcher.over()
      }
    },
  }
}

interface Answer {
  readonly count: number
  readonly found: readonly ConnectionState[]
}

const listOrder = (request: number): ControlOrder => ({ kind: 'list', request })
