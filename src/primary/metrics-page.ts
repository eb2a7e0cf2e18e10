/** The page of the metrics endpoint: the tables of `shared/metric` with their values, written by prom-client. */
import { type Metric, Registry } from 'prom-client'
import { type CounterRow, counters } from '../shared/metric/counters.ts'
import { type GaugeName, gauges } from '../shared/metric/gauges.ts'
import { type HistogramRow, histograms } from '../shared/metric/histograms.ts'
import { type Labels, labelled } from '../shared/metric/label.ts'
import type { Increment, Observation } from '../shared/metric.ts'

export type ContentType = typeof Registry.PROMETHEUS_CONTENT_TYPE | typeof Registry.OPENMETRICS_CONTENT_TYPE

/** A gauge's value, and the labels that tell it from others of its name. */
export type Level = readonly [name: GaugeName, value: number, labels?: Readonly<Record<string, string>>]

export interface Measurements {
  readonly counts: readonly Increment[]
  readonly observed: readonly Observation[]
  readonly levels: readonly Level[]
}

interface Sample {
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  readonly metricName?: string
}

/**
 * Closed sets of labels up to this size are there from the beginning, at 0: Prometheus sees no increase in a series that
 * begins with its first event.
 */
const MOST_ZEROS = 32

/** The registry is made anew for each scrape: the library renames the counters of one for the format it writes. */
export async function renderMetrics(measurements: Measurements, contentType: ContentType): Promise<string> {
  const registry = new Registry<ContentType>()
  registry.setContentType(contentType)
  const add = (
    name: string,
    help: string,
    type: 'counter' | 'gauge' | 'histogram',
    values: readonly Sample[],
  ): void => {
    const metric = { name, help, type, values, aggregator: 'sum', get: async () => metric }
    // What the library does with a metric besides `get`, it does not do here; its own classes cannot be given sums.
    registry.registerMetric(metric as unknown as Metric)
  }
  for (const [name, row] of Object.entries(counters))
    add(name, row.help, 'counter', counterSamples(name, row, measurements))
  for (const [name, row] of Object.entries(histograms)) {
    add(name, row.help, 'histogram', histogramSamples(name, row, measurements))
  }
  for (const [name, help] of Object.entries(gauges)) {
    const own = measurements.levels.filter(([level]) => level === name)
    if (own.length > 0)
      add(
        name,
        help,
        'gauge',
        own.map(([, value, labels = {}]) => ({ labels, value })),
      )
  }
  const page = await registry.metrics()
  return contentType === Registry.OPENMETRICS_CONTENT_TYPE ? withUnits(page) : page
}

function counterSamples(name: string, { labels }: CounterRow, { counts }: Measurements): Sample[] {
  const own = counts.filter(([series]) => series === name)
  const touched = new Set(own.map(([, values]) => values.join(' ')))
  const untouched = combinations(labels).filter((values) => !touched.has(values.join(' ')))
  const zeros = untouched.map((values): Increment => [name as Increment[0], values, 0]) // it is one of the table
  return [...own, ...zeros].map(([, values, value]) => ({ labels: labelled(labels, values), value }))
}

/** All values that the labels may have together, in the order of the table; none when that is not a small closed set. */
function combinations(labels: Labels): readonly (readonly string[])[] {
  let all: readonly (readonly string[])[] = [[]]
  for (const rule of Object.values(labels)) {
    if (rule === 'country') return []
    all = all.flatMap((values) => rule.map((value) => [...values, value]))
  }
  return all.length > MOST_ZEROS ? [] : all
}

function histogramSamples(name: string, row: HistogramRow, { observed }: Measurements): Sample[] {
  return observed.flatMap(([series, values, counts, sum]): Sample[] => {
    if (series !== name) return []
    const own = labelled(row.labels, values)
    // What this process observed itself has no name with it.
    const labels = row.perProcess ? { ...own, process: values[Object.keys(row.labels).length] ?? 'primary' } : own
    let below = 0
    const buckets = counts.map((count, index) => {
      below += count
      return { labels: { ...labels, le: row.buckets[index] ?? '+Inf' }, value: below, metricName: `${name}_bucket` }
    })
    return [
      ...buckets,
      { labels, value: sum, metricName: `${name}_sum` },
      { labels, value: below, metricName: `${name}_count` },
    ]
  })
}

/** OpenMetrics section 4.3: the unit is the end of the name. ContainerSSH has always told one for each metric. */
const withUnits = (page: string): string =>
  page.replace(
    /^# TYPE (\S+_([a-z]+)) (?!info)/gm,
    (line, name: string, unit: string) => `# UNIT ${name} ${unit}\n${line}`,
  )
