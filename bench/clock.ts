/** Where the time of a question goes: to what it was made for, and to what surrounds that. */
import { performance } from 'node:perf_hooks'

export type Phase = 'warmUp' | 'rounds'

/** All in ms. */
export interface Spent {
  /** Until the first round. */
  readonly setUp: number
  readonly warmUp: number
  readonly rounds: number
  /** Between rounds: logins of the next scene, other servers. */
  readonly between: number
  /** After the last round. */
  readonly tearDown: number
}

export interface Clock {
  /** A round has taken from here to there, as `performance.now()` has it. */
  spent(phase: Phase, from: number, to: number): void
  /** What it was up to now. */
  read(): Spent
}

export function startClock(): Clock {
  const start = performance.now()
  const total = { warmUp: 0, rounds: 0 }
  let [first, last] = [Number.NaN, Number.NaN]
  return {
    spent(phase, from, to) {
      total[phase] += to - from
      first = Number.isNaN(first) ? from : Math.min(first, from)
      last = Number.isNaN(last) ? to : Math.max(last, to)
    },
    read() {
      const now = performance.now()
      // Without any round all of it was set-up.
      if (Number.isNaN(first)) return { setUp: now - start, ...total, between: 0, tearDown: 0 }
      const between = Math.max(0, last - first - total.warmUp - total.rounds)
      return { setUp: first - start, ...total, between, tearDown: now - last }
    },
  }
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1)

/** `set-up 1.2, warm-up 3.0, rounds 9.1, between 0.4, tear-down 0.2`. */
export function spentText({ setUp, warmUp, rounds, between, tearDown }: Spent): string {
  const parts = { 'set-up': setUp, 'warm-up': warmUp, rounds, between, 'tear-down': tearDown }
  return Object.entries(parts)
    .map(([name, ms]) => `${name} ${seconds(ms)}`)
    .join(', ')
}

export const sumMs = ({ setUp, warmUp, rounds, between, tearDown }: Spent): number =>
  setUp + warmUp + rounds + between + tearDown
