/** What the small HTTP servers of the primary have in common: they listen, answer at once, and end with the pool. */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { asFault, fault } from '../shared/codes/fault.ts'
import { descriptorOf, listenHttp } from '../shared/http-listen.ts'
import type { Log } from '../shared/log.ts'
import type { Service } from './services.ts'

/** Load balancers and monitors: few, short, and no reason to keep a connection. */
const MAX_CONNECTIONS = 64
const REQUEST_MS = 5000

export interface HttpEndpoint {
  /** Of the service, as in the log. */
  readonly name: string
  /** Key of the configuration. */
  readonly section: string
  readonly config: {
    readonly listen: string
    readonly key: string
    readonly cert: string
    readonly clientcacert: string
  }
  readonly log: Log
  /** Descriptor of a socket that listens already, instead of one of its own. */
  readonly inherited?: number | undefined
  readonly answer: RequestListener
  /** It listens. `url` ends with a slash. */
  available(url: string): void
}

export function httpEndpoint({ name, section, config, log, inherited, answer, available }: HttpEndpoint): Service {
  let listening: Server | undefined
  return {
    name,
    get descriptor() {
      return listening === undefined ? undefined : descriptorOf(listening)
    },
    handOver() {
      listening?.close()
      listening = undefined
    },
    async run(life) {
      const key = (['key', 'cert', 'clientcacert'] as const).find((option) => config[option] !== '')
      if (key !== undefined) {
        const cause = new Error(`${section}.${key}: this endpoint does not speak TLS yet`)
        throw fault('CORE_CONFIG_ERROR', { option: `${section}.${key}` }, { cause })
      }
      const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, answer)
      server.maxConnections = MAX_CONNECTIONS
      const url = await listenHttp(server, inherited ?? config.listen, name)
      listening = server
      // A connection that cannot be accepted is no reason to end the daemon.
      server.on('error', (error) => log.fault(asFault(error), 'warning'))
      available(`${url}/`)
      life.running()
      if (!life.stop.aborted) await once(life.stop, 'abort')
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
