import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditGauges } from '../../src/primary/audit/index.ts'
import { metricsService } from '../../src/primary/metrics.ts'
import { defaults } from '../../src/shared/config/schema.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'
import { count, counters } from '../../src/shared/metric.ts'

async function startMetrics(connections: () => number, audit?: () => AuditGauges) {
  const records: LogRecord[] = []
  const stop = new AbortController()
  const log = createLog({ level: 'debug', write: (record) => void records.push(record) })
  const running = Promise.withResolvers<void>()
  const config = { ...defaults().metrics, enable: true, listen: '127.0.0.1:0' }
  const ended = metricsService(config, log, { connections, audit }).run({ stop: stop.signal, running: running.resolve })
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
  await using metrics = await startMetrics(() => connections)
  assert.match(metrics.url, /^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
  count('containerssh_ssh_refusals_total', { reason: 'penalty' })
  count('containerssh_ssh_refusals_total', { reason: 'penalty' })
  count('containerssh_ssh_refusals_total', { reason: 'busy' })
  const response = await fetch(metrics.url)
  assert.equal(response.headers.get('content-type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8')
  const page = await response.text()
  for (const [name, { help }] of Object.entries(counters)) {
    const family = name.slice(0, -'_total'.length)
    assert.ok(page.includes(`# HELP ${family} ${help}\n# TYPE ${family} counter\n`), name)
  }
  assert.match(page, /^containerssh_ssh_refusals_total\{reason="penalty"\} 2$/m)
  assert.match(page, /^containerssh_ssh_refusals_total\{reason="busy"\} 1$/m)
  assert.match(page, /^containerssh_ssh_current_connections\{country="XX"\} 3$/m)
  assert.match(page, /\n# EOF\n$/)
  connections = 0
  assert.match(await (await fetch(metrics.url)).text(), /^containerssh_ssh_current_connections\{country="XX"\} 0$/m)
})

test('whoever asks for plain text gets the format of Prometheus, with the same names', async () => {
  await using metrics = await startMetrics(() => 0)
  count('containerssh_ssh_connections_total', { country: 'XX' })
  const response = await fetch(metrics.url, { headers: { accept: 'text/plain;version=0.0.4, */*;q=0.1' } })
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const page = await response.text()
  assert.match(page, /^# TYPE containerssh_ssh_connections_total counter$/m)
  assert.match(page, /^containerssh_ssh_connections_total\{country="XX"\} 1$/m)
  assert.doesNotMatch(page, /EOF/)
})

test('any method, exactly the path whatever the query; everything else is 404 without a body', async () => {
  await using metrics = await startMetrics(() => 0)
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

test('what the audit log has open and waiting is there when there is an audit log', async () => {
  const gauges = { openLogs: 3, waitingBytes: 4096, waitingTasks: 2, uploads: { logs: 7, bytes: 70 } }
  await using metrics = await startMetrics(
    () => 0,
    () => gauges,
  )
  const page = await (await fetch(metrics.url)).text()
  for (const line of ['open_logs 3', 'waiting_bytes 4096', 'waiting_tasks 2', 'queue_logs 7', 'queue_bytes 70'])
    assert.ok(page.includes(`\ncontainerssh_audit_${line}\n`), page)
  await using without = await startMetrics(() => 0)
  assert.doesNotMatch(await (await fetch(without.url)).text(), /audit_open_logs/)
})
