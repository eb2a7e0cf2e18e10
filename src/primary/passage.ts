/** Which connection is where: waiting for a worker, on its way to one, or with one. Keeps a handle until it was taken. */
import type { Arrival, TcpHandle } from '../shared/ipc/handle.ts'

/** A worker that hangs, or has no descriptor left to receive with, must not hold the client for ever. */
const TRANSIT_MS = 10_000
/** As long as a worker may take to start: the first connection may be what systemd started us for. */
const WAITING_MS = 30_000
/** Connections that wait for the first worker to be ready, or for the next one after the death of all. */
const MAX_PARKED = 1024
/**
 * On their way to one worker. A worker that hangs keeps from others what it has been sent, and the kernel holds a few hundred
 * for it (more, and a write of them waits, which `handle-channel.ts` does not allow).
 */
const MAX_TRAVELLING = 16

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
  /**
   * False when too many wait already; the handle is still the caller's then. `isBounded`: no worker takes connections; those
   * that wait for one that does are as many as admission lets in.
   */
  park(handle: TcpHandle, ticket: number, remote: Arrival, proxied: boolean, isBounded: boolean): boolean
  /** Those without a worker, oldest first. May be assigned while they are gone through. */
  parked(): Iterable<Passenger>
  assign(passenger: Passenger, worker: number): void
  /** So many are on their way to it that it is given no more. */
  isBehind(worker: number): boolean
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
  /** Ends those that have waited or travelled for too long, and returns them. */
  expire(now: number): readonly Passenger[]
  /** Closes all that no worker has; returns their tickets. */
  abandon(): readonly number[]
  load(worker: number): number
  readonly size: number
}

const close = (handle: TcpHandle): void => handle.close()

/** `hangUp` ends those that a worker may have by now, or will have. It takes ownership. */
export function createPassage(hangUp: (handle: TcpHandle) => void): Passage {
  const passengers = new Map<number, Passenger>()
  const waiting = new Set<Passenger>()
  const loads = new Map<number, number>()
  const travelling = new Map<number, number>()

  const letGo = (passenger: Passenger, end = close): void => {
    if (passenger.handle === undefined) return
    end(passenger.handle)
    passenger.handle = undefined
    if (passenger.worker !== 0) shift(travelling, passenger.worker, -1)
  }
  const drop = (passenger: Passenger, end = close): number => {
    letGo(passenger, end)
    passengers.delete(passenger.ticket)
    waiting.delete(passenger)
    if (passenger.worker !== 0) shift(loads, passenger.worker, -1)
    return passenger.ticket
  }
  const held = (): Passenger[] => [...passengers.values()].filter((passenger) => passenger.handle !== undefined)

  return {
    park(handle, ticket, remote, proxied, isBounded) {
      if (isBounded && waiting.size >= MAX_PARKED) return false
      const passenger: Passenger = { ticket, remote, proxied, handle, worker: 0, passes: 0, since: performance.now() }
      passengers.set(ticket, passenger)
      waiting.add(passenger)
      return true
    },
    parked: () => waiting,
    isBehind: (worker) => (travelling.get(worker) ?? 0) >= MAX_TRAVELLING,
    assign(passenger, worker) {
      waiting.delete(passenger)
      passenger.worker = worker
      passenger.passes += 1
      passenger.since = performance.now()
      shift(loads, worker, 1)
      shift(travelling, worker, 1)
    },
    taken(ticket, worker) {
      const passenger = passengers.get(ticket)
      if (passenger?.worker === worker) letGo(passenger)
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
      travelling.delete(worker)
      return ended
    },
    expire(now) {
      const late = held().filter((one) => now - one.since > (one.worker === 0 ? WAITING_MS : TRANSIT_MS))
      for (const one of late) drop(one, one.worker === 0 ? close : hangUp)
      return late
    },
    abandon: () => held().map((one) => drop(one)),
    load: (worker) => loads.get(worker) ?? 0,
    get size() {
      return passengers.size
    },
  }
}

const shift = (counts: Map<number, number>, worker: number, by: 1 | -1): void =>
  void counts.set(worker, (counts.get(worker) ?? 0) + by)
