/**
 * A program that is compiled while it runs needs thousands of logins until a login costs what it will cost for the weeks
 * that a service lives: they are served before anything is measured.
 */
import { performance } from 'node:perf_hooks'
import type { Bench } from './question.ts'

/** Two batches in a row whose CPU time differs by less are alike. */
const steadyShare = 0.05

export interface Batches {
  readonly logins: number
  /** No more than so many. */
  readonly most: number
}

/** Serves batches until two in a row cost the same; `serve` returns the CPU time of one login. */
export async function untilSteady(
  bench: Pick<Bench, 'clock' | 'signal'>,
  { logins, most }: Batches,
  serve: (logins: number) => Promise<number>,
): Promise<void> {
  let before = Number.NaN
  for (let batch = 1; ; batch++) {
    bench.signal.throwIfAborted()
    const start = performance.now()
    const cost = await serve(logins)
    bench.clock.spent('warmUp', start, performance.now())
    if (batch >= most || Math.abs(cost - before) < steadyShare * before) return
    before = cost
  }
}
