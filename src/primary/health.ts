/**
 * The health check endpoint, for every method and path: 200 while all services run and every worker takes connections,
 * otherwise 503. One path tells only that we are alive: what we mend ourselves, and a drain, is no reason to be restarted.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Config } from '../shared/config/index.ts'
import type { Log } from '../shared/log.ts'
import { httpEndpoint } from './http-endpoint.ts'
import type { Service } from './services.ts'

const LIVENESS = '/livez'

export function healthService(
  config: Config['health'],
  parentLog: Log,
  isReady: () => boolean,
  inherited?: number,
): Service {
  const log = parentLog.with({ module: 'health' })
  return httpEndpoint({
    name: 'Health check endpoint',
    section: 'health',
    config,
    log,
    inherited,
    answer(request, response) {
      const isFine = request.url?.split('?')[0] === LIVENESS || isReady()
      answer(request, response, isFine)
    },
    available: (url) => log.emit('HEALTH_AVAILABLE', { url }),
  })
}

function answer(request: IncomingMessage, response: ServerResponse, ready: boolean): void {
  request.resume()
  const text = ready ? 'ok' : 'not ok'
  const plain = wantsText(request.headers.accept ?? '*/*')
  response.writeHead(ready ? 200 : 503, {
    'content-type': plain ? 'text/plain; charset=utf-8' : 'application/json',
    connection: 'close',
  })
  response.end(plain ? text : JSON.stringify(text))
}

/** JSON unless only some kind of text is asked for. */
function wantsText(accept: string): boolean {
  const types = accept.split(',').map((part) => part.split(';')[0]?.trim().toLowerCase() ?? '')
  if (types.some((type) => type === '*/*' || type === 'application/*' || type === 'application/json')) return false
  return types.some((type) => type.startsWith('text/'))
}
