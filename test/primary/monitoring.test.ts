/** What Prometheus makes of our page, and whether docs/monitoring speaks of metrics that exist. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { parse } from 'yaml'
import { type Level, type Measurements, renderMetrics } from '../../src/primary/metrics-page.ts'
import { type CounterRow, counters } from '../../src/shared/metric/counters.ts'
import { type GaugeName, gauges } from '../../src/shared/metric/gauges.ts'
import { type HistogramRow, histograms } from '../../src/shared/metric/histograms.ts'
import type { Labels } from '../../src/shared/metric/label.ts'
import { renderMetricsPage } from '../../src/shared/metric/page.ts'
import type { Increment, Observation } from '../../src/shared/metric.ts'
import { promtool } from '../rigs/promtool.ts'

const docs = resolve(import.meta.dirname, '../../docs')
const monitoring = join(docs, 'monitoring')

/** One series of each metric, with values for all its labels. */
function everything(): Measurements {
  const values = (labels: Labels): string[] =>
    Object.values(labels).map((rule) => (rule === 'country' ? 'XX' : (rule[0] ?? '')))
  return {
    counts: Object.entries(counters).map(
      ([name, { labels }]: [string, CounterRow]): Increment => [name as Increment[0], values(labels), 1],
    ),
    observed: Object.entries(histograms).map(
      ([name, { labels, buckets }]: [string, HistogramRow]): Observation => [
        name as Observation[0],
        values(labels),
        [...buckets.map(() => 1), 1],
        12.5,
      ],
    ),
    levels: Object.keys(gauges).map(
      (name): Level => [name as GaugeName, 1, name === 'containerssh_workers' ? { state: 'missing' } : {}],
    ),
  }
}

const text = (): Promise<string> => renderMetrics(everything(), Registry.PROMETHEUS_CONTENT_TYPE)

test('promtool finds nothing wrong with the page', async () => {
  assert.deepEqual(await promtool(['check', 'metrics'], await text()), { status: 0, output: '' })
})

test('promtool accepts the alert rules, and they do what their tests say', async () => {
  const checked = await promtool(['check', 'rules', join(monitoring, 'alerts.yaml')])
  assert.equal(checked.status, 0, checked.output)
  const tested = await promtool(['test', 'rules', join(monitoring, 'alerts.test.yaml')])
  assert.equal(tested.status, 0, tested.output)
})

/** Name to the labels of its samples, as Prometheus stores them. */
async function samples(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const found = new Map<string, Set<string>>()
  for (const line of (await text()).split('\n')) {
    const [, name, labels = ''] = /^([a-z0-9_]+)(?:\{(.*)\})? /.exec(line) ?? []
    if (name === undefined) continue
    const own = found.get(name) ?? new Set()
    for (const [, label] of labels.matchAll(/([a-z]+)=/g)) own.add(label ?? '')
    found.set(name, own)
  }
  return found
}

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
}

test('every metric of the dashboard and of the alerts is on the page, with the labels that are selected', async () => {
  const known = await samples()
  const { panels } = JSON.parse(readFileSync(join(monitoring, 'dashboard.json'), 'utf8')) as { panels: Panel[] }
  const rules = parse(readFileSync(join(monitoring, 'alerts.yaml'), 'utf8')) as {
    groups: { rules: { alert: string; expr: string }[] }[]
  }
  const expressions = [
    ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const)),
    ...rules.groups.flatMap((group) => group.rules.map(({ alert, expr }) => [alert, expr] as const)),
  ]
  assert.ok(expressions.length > 50)
  let names = 0
  for (const [where, expr] of expressions) {
    for (const [, name = '', selector = ''] of expr.matchAll(/\b(containerssh_[a-z0-9_]+)(?:\{([^}]*)\})?/g)) {
      names++
      const labels = known.get(name)
      assert.ok(labels !== undefined, `${where}: there is no ${name}`)
      for (const [, label = ''] of selector.matchAll(/([a-z_]+)=~?"/g)) {
        const isOurs = label !== 'instance' && label !== 'job'
        assert.ok(!isOurs || labels.has(label), `${where}: ${name} has no label ${label}`)
      }
    }
  }
  assert.ok(names > 60)
})

test('every counter and histogram is on the dashboard or in an alert, or is for a closer look', () => {
  const shown = ['dashboard.json', 'alerts.yaml'].map((name) => readFileSync(join(monitoring, name), 'utf8')).join('')
  const forACloserLook = [
    'containerssh_ssh_connections_total',
    'containerssh_ssh_program_seconds',
    'containerssh_ssh_connection_seconds',
  ]
  const missing = [...Object.keys(counters), ...Object.keys(histograms)].filter((name) => !shown.includes(name))
  assert.deepEqual(missing, forACloserLook)
})

test('docs/metrics.md is what the tables say', () => {
  assert.equal(readFileSync(join(docs, 'metrics.md'), 'utf8'), renderMetricsPage())
})
