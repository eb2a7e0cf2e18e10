/** Which connection is where: waiting for a worker, on its way to one, or with one. Keeps a handle until it was taken. */
import type { Arrival, TcpHandle } from '../shared/ipc/handle.ts'

/** A worker that hangs, or has no descriptor left to receive with, must not hold the client for ever. */
const TRANSIT_MS = 10_000
/** As long as a worker may take to start: the first connection may be what systemd started us for. */
const WAITING_MS = 30_000
/** Connections that wait for the first worker to be ready, or for the next one after the death of all. */
const MAX_PARKED = 1024

export interface Passenger {
  readonly ticket: number
  readonly remote: Arrival
  readonly proxied: boolean
  /** Undefined from the moment when a worker has taken the connection. */
  handle: TcpHandle | undefined
  /** Number of the worker it was passed to; 0 while it waits for one. */
  worker: number
  passes: number
  /** Of `performance.now()`. */
  since: number
}

export interface Passage {
  /** False when too many wait already; the handle is still the caller's then. */
  park(handle: TcpHandle, ticket: number, remote: Arrival, proxied: boolean): boolean
  /** Those without a worker, oldest first. */
  parked(): readonly Passenger[]
  assign(passenger: Passenger, worker: number): void
  /** From here on the worker answers for the connection: our handle is closed. */
  taken(ticket: number, worker: number): void
  has(ticket: number, worker: number): boolean
  /** Who connected, or the proxy in front; undefined if this worker does not have the connection. */
  remoteOf(ticket: number, worker: number): Arrival | undefined
  /** The connection is over. True if this worker had it. */
  leave(ticket: number, worker: number): boolean
  /**
   * The worker is dead. Connections it never took are parked once more; the tickets of all others have ended and are
   * returned. A connection that was on its way to two workers that died is not given to a third.
   */
  orphan(worker: number): readonly number[]
  /** Closes those that have waited or travelled for too long, and returns them. */
  expire(now: number): readonly Passenger[]
  /** Closes all that no worker has; returns their tickets. */
  abandon(): readonly number[]
  load(worker: number): number
  readonly size: number
}

export function createPassage(): Passage {
  const passengers = new Map<number, Passenger>()
  const waiting = new Set<Passenger>()
  const loads = new Map<number, number>()

  const shift = (worker: number, by: 1 | -1): void => void loads.set(worker, (loads.get(worker) ?? 0) + by)
  const drop = (passenger: Passenger): number => {
    passenger.handle?.close()
    passenger.handle = undefined
    passengers.delete(passenger.ticket)
    waiting.delete(passenger)
    if (passenger.worker !== 0) shift(passenger.worker, -1)
    return passenger.ticket
  }
  const held = (): Passenger[] => [...passengers.values()].filter((passenger) => passenger.handle !== undefined)

  return {
    park(handle, ticket, remote, proxied) {
      if (waiting.size >= MAX_PARKED) return false
      const passenger: Passenger = { ticket, remote, proxied, handle, worker: 0, passes: 0, since: performance.now() }
      passengers.set(ticket, passenger)
      waiting.add(passenger)
      return true
    },
    parked: () => [...waiting],
    assign(passenger, worker) {
      waiting.delete(passenger)
      passenger.worker = worker
      passenger.passes += 1
      passenger.since = performance.now()
      shift(worker, 1)
    },
    taken(ticket, worker) {
      const passenger = passengers.get(ticket)
      if (passenger?.worker !== worker) return
      passenger.handle?.close()
      passenger.handle = undefined
    },
    has: (ticket, worker) => passengers.get(ticket)?.worker === worker,
    remoteOf(ticket, worker) {
      const passenger = passengers.get(ticket)
      return passenger?.worker === worker ? passenger.remote : undefined
    },
    leave(ticket, worker) {
      const passenger = passengers.get(ticket)
      if (passenger?.worker !== worker) return false
      drop(passenger)
      return true
    },
    orphan(worker) {
      const ended: number[] = []
      for (const passenger of [...passengers.values()].filter((one) => one.worker === worker)) {
        if (passenger.handle === undefined || passenger.passes > 1) ended.push(drop(passenger))
        else {
          passenger.worker = 0
          passenger.since = performance.now()
          waiting.add(passenger)
        }
      }
      loads.delete(worker)
      return ended
    },
    expire(now) {
      const late = held().filter((one) => now - one.since > (one.worker === 0 ? WAITING_MS : TRANSIT_MS))
      for (const one of late) drop(one)
      return late
    },
    abandon: () => held().map(drop),
    load: (worker) => loads.get(worker) ?? 0,
    get size() {
      return passengers.size
    },
  }
}
