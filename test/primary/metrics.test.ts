import assert from 'node:assert/strict'
import { test } from 'node:test'
import { metricsService } from '../../src/primary/metrics.ts'
import type { Level } from '../../src/primary/metrics-page.ts'
import { defaults } from '../../src/shared/config/schema.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'
import { count, counters, histograms, observe, processHistograms } from '../../src/shared/metric.ts'

async function startMetrics(levels: () => readonly Level[] = () => []) {
  const records: LogRecord[] = []
  const stop = new AbortController()
  const log = createLog({ level: 'debug', write: (record) => void records.push(record) })
  const running = Promise.withResolvers<void>()
  const config = { ...defaults().metrics, enable: true, listen: '127.0.0.1:0' }
  const ended = metricsService(config, log, levels).run({ stop: stop.signal, running: running.resolve })
  await running.promise
  const [record] = records
  assert.equal(record?.code, 'METRICS_AVAILABLE')
  assert.equal(record?.labels['module'], 'metrics')
  return {
    url: String(record?.labels['url']),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
    },
  }
}

test('the page is OpenMetrics: every counter with its help, series by their labels, the gauge, an end', async () => {
  let connections = 3
  await using metrics = await startMetrics(() => [
    ['containerssh_ssh_current_connections', connections, { country: 'XX' }],
  ])
  assert.match(metrics.url, /^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
  count('containerssh_ssh_refusals_total', { reason: 'penalty' })
  count('containerssh_ssh_refusals_total', { reason: 'penalty' })
  count('containerssh_ssh_refusals_total', { reason: 'busy' })
  const response = await fetch(metrics.url)
  assert.equal(response.headers.get('content-type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8')
  const page = await response.text()
  for (const [name, { help }] of Object.entries(counters)) {
    const family = name.slice(0, -'_total'.length)
    const unit = family.split('_').at(-1)
    assert.ok(page.includes(`# HELP ${family} ${help}\n# UNIT ${family} ${unit}\n# TYPE ${family} counter\n`), name)
  }
  assert.match(page, /^containerssh_ssh_refusals_total\{reason="penalty"\} 2$/m)
  assert.match(page, /^containerssh_ssh_refusals_total\{reason="busy"\} 1$/m)
  assert.match(page, /^containerssh_ssh_current_connections\{country="XX"\} 3$/m)
  assert.match(page, /\n# EOF\n$/)
  connections = 0
  assert.match(await (await fetch(metrics.url)).text(), /^containerssh_ssh_current_connections\{country="XX"\} 0$/m)
})

test('whoever asks for plain text gets the format of Prometheus, with the same names', async () => {
  await using metrics = await startMetrics()
  count('containerssh_ssh_connections_total', { country: 'XX' })
  const response = await fetch(metrics.url, { headers: { accept: 'text/plain;version=0.0.4, */*;q=0.1' } })
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const page = await response.text()
  assert.match(page, /^# TYPE containerssh_ssh_connections_total counter$/m)
  assert.match(page, /^containerssh_ssh_connections_total\{country="XX"\} 1$/m)
  assert.doesNotMatch(page, /EOF/)
})

test('any method, exactly the path whatever the query; everything else is 404 without a body', async () => {
  await using metrics = await startMetrics()
  assert.equal((await fetch(`${metrics.url}?x=1`, { method: 'POST' })).status, 200)
  for (const url of [
    `${metrics.url}/`,
    metrics.url.replace('metrics', ''),
    metrics.url.replace('metrics', 'Metrics'),
  ]) {
    const response = await fetch(url)
    assert.equal(response.status, 404)
    assert.equal(await response.text(), '')
  }
})

test('histograms are cumulative, of all processes together, or of each where the row says so', async () => {
  await using metrics = await startMetrics()
  processHistograms.take()
  for (const seconds of [0.0004, 0.02, 99]) observe('containerssh_ssh_banner_seconds', {}, seconds)
  const { buckets } = histograms.containerssh_event_loop_delay_seconds
  const counts = [0, 4, ...buckets.slice(1).map(() => 0)]
  processHistograms.add([['containerssh_event_loop_delay_seconds', [], counts, 0.5]], 'worker-2')
  processHistograms.add([['containerssh_event_loop_delay_seconds', [], counts, 0.25]], 'worker-2')
  const page = await (await fetch(metrics.url)).text()
  for (const line of [
    '# UNIT containerssh_ssh_banner_seconds seconds',
    '# TYPE containerssh_ssh_banner_seconds histogram',
    'containerssh_ssh_banner_seconds_bucket{le="0.0005"} 1',
    'containerssh_ssh_banner_seconds_bucket{le="0.01"} 1',
    'containerssh_ssh_banner_seconds_bucket{le="0.025"} 2',
    'containerssh_ssh_banner_seconds_bucket{le="10"} 2',
    'containerssh_ssh_banner_seconds_bucket{le="+Inf"} 3',
    'containerssh_ssh_banner_seconds_sum 99.0204',
    'containerssh_ssh_banner_seconds_count 3',
    'containerssh_event_loop_delay_seconds_bucket{process="worker-2",le="0.001"} 0',
    'containerssh_event_loop_delay_seconds_bucket{process="worker-2",le="0.0025"} 8',
    'containerssh_event_loop_delay_seconds_sum{process="worker-2"} 0.75',
  ]) {
    assert.ok(page.includes(`\n${line}\n`), `${line}\nis not in\n${page}`)
  }
})

test('small closed sets of labels begin at 0, so that the first event is an increase', async () => {
  await using metrics = await startMetrics()
  const page = await (await fetch(metrics.url)).text()
  assert.match(page, /^containerssh_worker_exits_total\{reason="hang"\} 0$/m)
  assert.match(page, /^containerssh_backend_errors_total\{backend="docker"\} 0$/m)
  assert.doesNotMatch(page, /^containerssh_ssh_failed_handshakes_total\{/m)
})
