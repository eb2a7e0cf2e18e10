/** The metrics endpoint: what this process and its workers counted, for Prometheus. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Counter, Gauge, Registry } from 'prom-client'
import type { Config } from '../shared/config/index.ts'
import type { Log } from '../shared/log.ts'
import { type CounterName, counters, type Increment, processCounters, unknownCountry } from '../shared/metric.ts'
import type { AuditGauges } from './audit/index.ts'
import { httpEndpoint } from './http-endpoint.ts'
import type { Service } from './services.ts'

/** What has a value at the moment of a scrape. */
export interface Gauges {
  /** Open ones of SSH. */
  connections(): number
  readonly audit: (() => AuditGauges) | undefined
}

export function metricsService(config: Config['metrics'], parentLog: Log, gauges: Gauges, inherited?: number): Service {
  const log = parentLog.with({ module: 'metrics' })
  return httpEndpoint({
    name: 'Metrics server',
    section: 'metrics',
    config,
    log,
    inherited,
    answer: (request, response) => void answer(request, response, config.path, gauges),
    available: (url) => log.emit('METRICS_AVAILABLE', { url: url.slice(0, -1) + config.path }),
  })
}

async function answer(request: IncomingMessage, response: ServerResponse, path: string, gauges: Gauges): Promise<void> {
  request.resume()
  if (request.url?.split('?')[0] !== path) {
    response.writeHead(404, { connection: 'close' }).end()
    return
  }
  const contentType = wantsText(request.headers.accept ?? '*/*')
    ? Registry.PROMETHEUS_CONTENT_TYPE
    : Registry.OPENMETRICS_CONTENT_TYPE
  const page = await render(processCounters.read(), gauges, contentType)
  response.writeHead(200, { 'content-type': contentType, connection: 'close' }).end(page)
}

/** OpenMetrics unless only plain text is asked for. */
function wantsText(accept: string): boolean {
  const types = accept.split(',').map((part) => part.split(';')[0]?.trim().toLowerCase() ?? '')
  return types.includes('text/plain') && !types.includes('application/openmetrics-text')
}

type ContentType = typeof Registry.PROMETHEUS_CONTENT_TYPE | typeof Registry.OPENMETRICS_CONTENT_TYPE

/** Made anew for each scrape: the library renames the counters of a registry for the format it writes. */
async function render(
  increments: readonly Increment[],
  { connections, audit }: Gauges,
  contentType: ContentType,
): Promise<string> {
  const registry = new Registry<ContentType>()
  registry.setContentType(contentType)
  for (const [name, { help, labels }] of Object.entries(counters)) {
    const labelNames = Object.keys(labels)
    const counter = new Counter<string>({ name, help, labelNames, registers: [registry] })
    for (const [series, values, by] of increments) {
      if (series === (name as CounterName)) counter.inc(labelsOf(labelNames, values), by)
    }
  }
  const name = 'containerssh_ssh_current_connections'
  const help = 'TCP connections that are open.'
  const gauge = new Gauge({ name, help, labelNames: ['country'], registers: [registry] })
  gauge.set({ country: unknownCountry }, connections())
  if (audit !== undefined) addAudit(audit(), registry)
  return registry.metrics()
}

function addAudit(
  { openLogs, waitingBytes, waitingTasks, uploads }: AuditGauges,
  registry: Registry<ContentType>,
): void {
  const rows = [
    ['containerssh_audit_open_logs', 'Audit logs that are being written.', openLogs],
    ['containerssh_audit_waiting_bytes', 'Audit records that are not stored yet, in bytes.', waitingBytes],
    ['containerssh_audit_waiting_tasks', 'Batches of audit records that wait for a thread.', waitingTasks],
    ['containerssh_audit_queue_logs', 'Complete audit logs that are not uploaded yet.', uploads?.logs],
    ['containerssh_audit_queue_bytes', 'The same in bytes.', uploads?.bytes],
  ] as const
  for (const [name, help, value] of rows) {
    if (value !== undefined) new Gauge({ name, help, registers: [registry] }).set(value)
  }
}

const labelsOf = (names: readonly string[], values: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']))
