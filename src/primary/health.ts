/** The health check endpoint: 200 while all services run, otherwise 503, for every path and method. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { asFault, fault } from '../shared/codes/fault.ts'
import type { Config } from '../shared/config/index.ts'
import { parseListen } from '../shared/config/listen.ts'
import type { Log } from '../shared/log.ts'
import type { Service } from './services.ts'

/** Load balancers and monitors: few, short, and no reason to keep a connection. */
const MAX_CONNECTIONS = 64
const REQUEST_MS = 5000

export function healthService(config: Config['health'], log: Log, isReady: () => boolean): Service {
  const name = 'Health check endpoint'
  return {
    name,
    async run(life) {
      const option = (['key', 'cert', 'clientcacert'] as const).find((key) => config[key] !== '')
      if (option !== undefined) {
        const cause = new Error(`health.${option}: the health check endpoint does not speak TLS yet`)
        throw fault('CORE_CONFIG_ERROR', { option: `health.${option}` }, { cause })
      }
      const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) =>
        answer(request, response, isReady()),
      )
      server.maxConnections = MAX_CONNECTIONS
      const healthLog = log.with({ module: 'health' })
      const url = await listen(server, config.listen, name)
      // A connection that cannot be accepted is no reason to end the daemon.
      server.on('error', (error) => healthLog.fault(asFault(error), 'warning'))
      healthLog.emit('HEALTH_AVAILABLE', { url })
      life.running()
      if (!life.stop.aborted) await once(life.stop, 'abort')
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function listen(server: Server, text: string, service: string): Promise<string> {
  try {
    const address = parseListen(text)
    if (address === undefined) throw new Error(`${text} is no address and port`)
    server.listen({ port: address.port, ...(address.host === undefined ? {} : { host: address.host }) })
    await once(server, 'listening')
  } catch (cause) {
    throw fault('HTTP_LISTEN_FAILED', { service, listen: text }, { cause })
  }
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server has an address')
  return `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}/`
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
