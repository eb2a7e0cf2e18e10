/** The metrics endpoint: what this process and its workers counted, timed and have, for Prometheus. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Registry } from 'prom-client'
import type { Config } from '../shared/config/index.ts'
import type { Log } from '../shared/log.ts'
import { watchLoopDelay } from '../shared/metric/loop-delay.ts'
import { processCounters, processHistograms } from '../shared/metric.ts'
import { httpEndpoint } from './http-endpoint.ts'
import { type Level, renderMetrics } from './metrics-page.ts'
import type { Life, Service } from './services.ts'

/** `levels`: what has a value at the moment of a scrape. */
export function metricsService(
  config: Config['metrics'],
  parentLog: Log,
  levels: () => readonly Level[],
  inherited?: number,
): Service {
  const log = parentLog.with({ module: 'metrics' })
  const endpoint = httpEndpoint({
    name: 'Metrics server',
    section: 'metrics',
    config,
    log,
    inherited,
    answer: (request, response) => void answer(request, response, config.path, levels),
    available: (url) => log.emit('METRICS_AVAILABLE', { url: url.slice(0, -1) + config.path }),
  })
  const { run } = endpoint
  return Object.assign(endpoint, {
    async run(life: Life) {
      const stopWatching = watchLoopDelay()
      try {
        await run(life)
      } finally {
        stopWatching()
      }
    },
  })
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  levels: () => readonly Level[],
): Promise<void> {
  request.resume()
  if (request.url?.split('?')[0] !== path) {
    response.writeHead(404, { connection: 'close' }).end()
    return
  }
  const contentType = wantsText(request.headers.accept ?? '*/*')
    ? Registry.PROMETHEUS_CONTENT_TYPE
    : Registry.OPENMETRICS_CONTENT_TYPE
  const measurements = { counts: processCounters.read(), observed: processHistograms.read(), levels: levels() }
  const page = await renderMetrics(measurements, contentType)
  response.writeHead(200, { 'content-type': contentType, connection: 'close' }).end(page)
}

/** OpenMetrics unless only plain text is asked for. */
function wantsText(accept: string): boolean {
  const types = accept.split(',').map((part) => part.split(';')[0]?.trim().toLowerCase() ?? '')
  return types.includes('text/plain') && !types.includes('application/openmetrics-text')
}
