/** Samples of a table whose sides are not all servers of ours, noted as they come. */
import { performance } from 'node:perf_hooks'
import { summarize } from './stats.ts'

/** Per side, per figure: one sample per round. */
export type Sides = Map<string, Map<string, number[]>>

export function note(sides: Sides, side: string, figure: string, value: number): void {
  const figures = sides.get(side) ?? new Map<string, number[]>()
  sides.set(side, figures)
  figures.set(figure, [...(figures.get(figure) ?? []), value])
}

/** Their median, and their 99th percentile as `NAME99`. */
export function noteTimes(sides: Sides, side: string, name: string, times: readonly number[]): void {
  const sorted = [...times].sort((a, b) => a - b)
  note(sides, side, name, summarize(times).median)
  note(sides, side, `${name}99`, sorted[Math.ceil(0.99 * sorted.length) - 1] ?? Number.NaN)
}

/** In ms. */
export async function timed(task: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await task()
  return performance.now() - start
}
