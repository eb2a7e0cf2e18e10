/** Samples of a table whose sides are not all servers of ours, noted as they come. */
import { performance } from 'node:perf_hooks'

/** Per side, per figure: one sample per round. */
export type Sides = Map<string, Map<string, number[]>>

export function note(sides: Sides, side: string, figure: string, value: number): void {
  const figures = sides.get(side) ?? new Map<string, number[]>()
  sides.set(side, figures)
  figures.set(figure, [...(figures.get(figure) ?? []), value])
}

/** In ms. */
export async function timed(task: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await task()
  return performance.now() - start
}
