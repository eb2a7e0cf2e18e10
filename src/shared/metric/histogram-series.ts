/** The histograms of a process. Observing costs a look into a map and two additions. */
import { isCount } from '../check.ts'
import { type HistogramName, type HistogramRow, histograms } from './histograms.ts'
import { areValues, type Given, valuesOf } from './label.ts'
import { SeriesMap } from './series.ts'

export type HistogramLabels<N extends HistogramName> = Given<(typeof histograms)[N]['labels']>

/**
 * One series and what came to it: values in the order of the row's labels, how many observations fell into each bucket
 * (not those below it), and their sum in seconds.
 */
export type Observation = readonly [
  name: HistogramName,
  values: readonly string[],
  counts: readonly number[],
  sum: number,
]

export interface Histograms {
  observe<N extends HistogramName>(name: N, labels: HistogramLabels<N>, seconds: number): void
  /** What was observed elsewhere: series that each process has for itself get its name as one more value. */
  add(observations: readonly Observation[], process?: string): void
  /** The process is gone for good: its own series go, too. */
  forget(process: string): void
  /** All series that were ever observed, names and values in the order of their first use. */
  read(): readonly Observation[]
  /** Like `read`, and begins again at zero. */
  take(): readonly Observation[]
}

interface Series {
  readonly name: HistogramName
  readonly values: readonly string[]
  readonly counts: number[]
  sum: number
}

export function createHistograms(): Histograms {
  const all = new SeriesMap((name: HistogramName, values): Series => {
    const counts = Array.from({ length: histograms[name].buckets.length + 1 }, () => 0)
    return { name, values, counts, sum: 0 }
  })
  const read = (): Observation[] => all.all().map(({ name, values, counts, sum }) => [name, values, [...counts], sum])
  return {
    observe(name, labels, seconds) {
      const row: HistogramRow = histograms[name]
      // Its labels are texts whatever the row: the compiler cannot see that as long as the name is open.
      const series = all.get(name, valuesOf(row.labels, labels as Readonly<Record<string, string>>))
      let bucket = 0
      while (seconds > (row.buckets[bucket] ?? Number.POSITIVE_INFINITY)) bucket++
      series.counts[bucket] = (series.counts[bucket] ?? 0) + 1
      series.sum += seconds
    },
    add(observations, process) {
      for (const [name, values, counts, sum] of observations) {
        const row: HistogramRow = histograms[name]
        const isOwn = process === undefined || row.perProcess === undefined
        const series = all.get(name, isOwn ? values : [...values, process])
        for (const [bucket, by] of counts.entries()) series.counts[bucket] = (series.counts[bucket] ?? 0) + by
        series.sum += sum
      }
    },
    forget(process) {
      all.forget(({ name, values }) => {
        const row: HistogramRow = histograms[name]
        return row.perProcess === true && values.at(-1) === process
      })
    },
    read,
    take() {
      const taken = read()
      all.clear()
      return taken
    },
  }
}

/** For what comes from another process. */
export function isObservation(value: unknown): value is Observation {
  if (!Array.isArray(value) || value.length !== 4) return false
  const [name, values, counts, sum]: unknown[] = value
  if (typeof name !== 'string' || !Object.hasOwn(histograms, name)) return false
  const row: HistogramRow = histograms[name as HistogramName] // hasOwn has just said so
  return (
    areValues(row.labels, values) &&
    Array.isArray(counts) &&
    counts.length === row.buckets.length + 1 &&
    counts.every(isCount) &&
    typeof sum === 'number' &&
    Number.isFinite(sum) &&
    sum >= 0
  )
}
