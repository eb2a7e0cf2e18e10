/** What is counted and measured now, for people and programs that have no Prometheus. */
import { counters } from '../../shared/metric/counters.ts'
import { type HistogramRow, histograms } from '../../shared/metric/histograms.ts'
import { labelled } from '../../shared/metric/label.ts'
import { processCounters, processHistograms } from '../../shared/metric.ts'
import type { Level } from '../metrics-page.ts'

export interface Measured {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}
export interface MetricsView {
  readonly gauges: readonly Measured[]
  readonly counters: readonly Measured[]
  /** `value`: the sum, in the unit of the name; `count`: of how many. */
  readonly histograms: readonly (Measured & { readonly count: number })[]
}

export const measure = (levels: () => readonly Level[]): MetricsView => ({
  gauges: levels().map(([name, value, labels = {}]) => ({ name, labels, value })),
  counters: processCounters.read().map(([name, values, value]) => ({
    name,
    labels: labelled(counters[name].labels, values),
    value,
  })),
  histograms: processHistograms.read().map(([name, values, counts, sum]) => {
    const { labels, perProcess }: HistogramRow = histograms[name]
    const own = labelled(labels, values)
    const process = values[Object.keys(labels).length] ?? 'primary'
    return {
      name,
      labels: perProcess ? { ...own, process } : own,
      value: sum,
      count: counts.reduce((total, one) => total + one, 0),
    }
  }),
})
