/** Rounds of measurements: every server in turn, so that what disturbs the machine disturbs all of them. */
import { availableParallelism } from 'node:os'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from './clock.ts'
import { cpuMs, machineBusyMs, type State, stateOf } from './proc.ts'
import type { Server } from './server.ts'

const settleStepMs = 50
const settleLimitMs = 5000
/** Fewer have no median worth its name. */
const leastRounds = 3
/** Rounds of a row with a target: a verdict needs more than a figure does. */
export const judgedRounds = 5

/** What one measurement yields: figures by name, in the units that the question's rows name. */
export type Figures = Readonly<Record<string, number>>

/** Per server, per figure: one sample per round. */
export type Samples = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>

export interface Rounds {
  readonly rounds: number
  /** So many are made whether or not there is time for them; three when nothing is said. */
  readonly least?: number
  /** Unmeasured rounds before them: caches, just-in-time compilation. */
  readonly warmUp: number
  /** As `performance.now()` has it: rounds that would end later are left out, but not the `least` ones. */
  readonly endsAt: number
  readonly signal: AbortSignal
  readonly clock: Pick<Clock, 'spent'>
  progress(text: string): void
}

/** The numbers of the rounds, of the warm-up below 0, as long as there is time. */
export function* turns(order: Omit<Rounds, 'progress'>): Generator<number> {
  const { rounds, least = leastRounds, warmUp, endsAt, signal, clock } = order
  let tookMs = 0
  for (let round = -warmUp; round < rounds; round++) {
    signal.throwIfAborted()
    const start = performance.now()
    if (round >= least && start + tookMs > endsAt) return
    yield round
    const end = performance.now()
    tookMs = end - start
    clock.spent(round < 0 ? 'warmUp' : 'rounds', start, end)
  }
}

/**
 * Runs `measure` on each server in turn; every other round in the reverse order (A B, B A, A B, …). A warm-up needs less
 * than the whole amount.
 */
export async function interleave<Side extends { readonly name: string }>(
  servers: readonly Side[],
  order: Rounds,
  measure: (server: Side, isWarmUp: boolean) => Promise<Figures>,
): Promise<Samples> {
  const samples = new Map<string, Map<string, number[]>>()
  for (const round of turns(order)) {
    for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
      order.signal.throwIfAborted()
      order.progress(`${server.name} ${round < 0 ? 'warm-up' : `${round + 1}/${order.rounds}`}`)
      const figures = await measure(server, round < 0)
      if (round < 0) continue
      const mine = samples.get(server.name) ?? new Map<string, number[]>()
      samples.set(server.name, mine)
      for (const [name, value] of Object.entries(figures)) mine.set(name, [...(mine.get(name) ?? []), value])
    }
  }
  return samples
}

/** Of one core: timers go on where nothing else does. */
const restShare = 0.02
const restMs = 0.5

interface Seen extends State {
  readonly at: number
}
const look = (pid: number): Seen => ({ at: performance.now(), ...stateOf(pid) })

const isAtRest = (before: Seen, now: Seen): boolean =>
  now.processes === before.processes && now.cpuMs - before.cpuMs <= restMs + restShare * (now.at - before.at)

/** How each server was when it had finished. */
const settled = new Map<number, Seen>()

/** Waits until the server has finished with what came before: no process goes, hardly any CPU time comes. */
export async function settle({ pid }: Server, signal: AbortSignal): Promise<void> {
  const limit = performance.now() + settleLimitMs
  let [before, now] = [settled.get(pid), look(pid)]
  // It has done nothing since it was last seen to have finished.
  while ((before === undefined || !isAtRest(before, now)) && performance.now() < limit) {
    await sleep(settleStepMs, undefined, { signal })
    before = now
    now = look(pid)
  }
  settled.set(pid, now)
}

export interface Watched<T> {
  readonly result: T
  /** The part of the machine that neither the server nor its load used: noise. */
  readonly otherShare: number
}

export interface Cost<T> extends Watched<T> {
  /** CPU time of all processes of the server, in ms. */
  readonly serverCpuMs: number
}

/** `work` on a server that is at rest. `cpuSeconds` is the load generator's own. */
export async function watch<T extends { readonly cpuSeconds: number }>(
  server: Server,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<Watched<T>> {
  await settle(server, signal)
  const [cpuBefore, busyBefore, start] = [cpuMs(server.pid), machineBusyMs(), performance.now()]
  const result = await work()
  const [busy, wallMs] = [machineBusyMs() - busyBefore, performance.now() - start]
  const other = busy - (cpuMs(server.pid) - cpuBefore) - result.cpuSeconds * 1000
  return { result, otherShare: Math.max(0, other / (wallMs * availableParallelism())) }
}

/** CPU time the server needs for `work`, its tail included. */
export async function costOf<T extends { readonly cpuSeconds: number }>(
  server: Server,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<Cost<T>> {
  await settle(server, signal)
  const before = cpuMs(server.pid)
  const watched = await watch(server, signal, work)
  await settle(server, signal)
  return { ...watched, serverCpuMs: cpuMs(server.pid) - before }
}
