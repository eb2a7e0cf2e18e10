/** Rounds of measurements: every server in turn, so that what disturbs the machine disturbs all of them. */
import { availableParallelism } from 'node:os'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuMs, machineBusyMs, processCount } from './proc.ts'
import type { Server } from './server.ts'

const settleStepMs = 100
const settleLimitMs = 5000
/** Fewer have no median worth its name. */
const leastRounds = 3

/** What one measurement yields: figures by name, in the units that the question's rows name. */
export type Figures = Readonly<Record<string, number>>

/** Per server, per figure: one sample per round. */
export type Samples = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>

export interface Rounds {
  readonly rounds: number
  /** Unmeasured rounds before them: caches, just-in-time compilation. */
  readonly warmUp: number
  /** Warm-up included; rounds that no longer fit are left out, but not the first ones. */
  readonly withinMs: number
  readonly signal: AbortSignal
  progress(text: string): void
}

/** Runs `measure` on each server in turn; every other round in the reverse order (A B, B A, A B, …). */
export async function interleave<Side extends { readonly name: string }>(
  servers: readonly Side[],
  { rounds, warmUp, withinMs, signal, progress }: Rounds,
  measure: (server: Side) => Promise<Figures>,
): Promise<Samples> {
  const samples = new Map<string, Map<string, number[]>>()
  const start = performance.now()
  for (let round = -warmUp; round < rounds; round++) {
    const rounded = round + warmUp
    const nextEndsMs = rounded === 0 ? 0 : ((performance.now() - start) / rounded) * (rounded + 1)
    if (round >= leastRounds && nextEndsMs > withinMs) break
    for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
      signal.throwIfAborted()
      progress(`${server.name} ${round < 0 ? 'warm-up' : `${round + 1}/${rounds}`}`)
      const figures = await measure(server)
      if (round < 0) continue
      const mine = samples.get(server.name) ?? new Map<string, number[]>()
      samples.set(server.name, mine)
      for (const [name, value] of Object.entries(figures)) mine.set(name, [...(mine.get(name) ?? []), value])
    }
  }
  return samples
}

/** Waits until the server has finished with what came before: no process goes, no CPU time comes. */
export async function settle(server: Server, signal: AbortSignal): Promise<void> {
  const look = (): string => `${cpuMs(server.pid)} ${processCount(server.pid)}`
  const limit = performance.now() + settleLimitMs
  for (let before = look(); performance.now() < limit; ) {
    await sleep(settleStepMs, undefined, { signal })
    const now = look()
    if (now === before) return
    before = now
  }
}

export interface Cost<T> {
  readonly result: T
  /** CPU time of all processes of the server, in ms. */
  readonly serverCpuMs: number
  /** The part of the machine that neither the server nor its load used: noise. */
  readonly otherShare: number
}

/** CPU time the server needs for `work`, its tail included. `cpuSeconds` is the load generator's own. */
export async function costOf<T extends { readonly cpuSeconds: number }>(
  server: Server,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<Cost<T>> {
  await settle(server, signal)
  const [cpuBefore, busyBefore, start] = [cpuMs(server.pid), machineBusyMs(), performance.now()]
  const result = await work()
  const [busy, wallMs] = [machineBusyMs() - busyBefore, performance.now() - start]
  const during = cpuMs(server.pid) - cpuBefore
  await settle(server, signal)
  const other = busy - during - result.cpuSeconds * 1000
  return {
    result,
    serverCpuMs: cpuMs(server.pid) - cpuBefore,
    otherShare: Math.max(0, other / (wallMs * availableParallelism())),
  }
}
