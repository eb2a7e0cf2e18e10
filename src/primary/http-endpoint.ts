/** What the small HTTP servers of the primary have in common: they listen, answer at once, and end with the pool. */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { SecureContextOptions, TLSSocket } from 'node:tls'
import { asFault, fault } from '../shared/codes/fault.ts'
import type { Config } from '../shared/config/index.ts'
import { descriptorOf, listenHttp } from '../shared/http-listen.ts'
import type { Log } from '../shared/log.ts'
import { protocolOf } from '../shared/tls-client.ts'
import { readTls } from '../shared/tls-server.ts'
import type { Service } from './services.ts'

/** Load balancers and monitors: few, short, and no reason to keep a connection. */
const MAX_CONNECTIONS = 64
const REQUEST_MS = 5000

export interface HttpEndpoint {
  /** Of the service, as in the log. */
  readonly name: string
  /** Key of the configuration. */
  readonly section: string
  readonly config: ServerSettings
  readonly log: Log
  /** Descriptor of a socket that listens already, instead of one of its own. */
  readonly inherited?: number | undefined
  readonly answer: RequestListener
  /** It listens. `url` ends with a slash. */
  available(url: string): void
}
type ServerSettings = Omit<Config['metrics'], 'enable' | 'path'>

export function httpEndpoint({ name, section, config, log, inherited, answer, available }: HttpEndpoint): Service {
  let listening: Server | undefined
  const option = `${section}.cert`
  return {
    name,
    get descriptor() {
      return listening === undefined ? undefined : descriptorOf(listening)
    },
    handOver() {
      listening?.close()
      listening = undefined
    },
    async renew() {
      if (listening === undefined || config.cert === '') return
      try {
        const renewed = await tlsOf(config)
        const server = listening as TlsServer // with a certificate, it was made as one
        if (renewed !== undefined) server.setSecureContext(renewed)
      } catch (cause) {
        log.emit('CORE_CONFIG_ERROR', { option }, { level: 'error', cause })
      }
    },
    async run(life) {
      const tls = await tlsOf(config).catch((cause: unknown) => {
        throw fault('CORE_CONFIG_ERROR', { option }, { cause })
      })
      const server = open(tls, config.clientcacert !== '', answer)
      server.maxConnections = MAX_CONNECTIONS
      const url = await listenHttp(server, inherited ?? config.listen, name, tls === undefined ? 'http' : 'https')
      listening = server
      // A connection that cannot be accepted is no reason to end the daemon.
      server.on('error', (error) => log.fault(asFault(error), 'warning'))
      server.on('tlsClientError', (error: Error, { authorizationError }: TLSSocket) => {
        log.emit('HTTP_SERVER_TLS_FAILED', {}, { cause: authorizationError ?? error })
      })
      available(`${url}/`)
      life.running()
      if (!life.stop.aborted) await once(life.stop, 'abort')
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** Undefined: plain HTTP. @throws Error that says what cannot be used */
async function tlsOf(config: ServerSettings): Promise<SecureContextOptions | undefined> {
  const { cert, key, clientcacert } = config
  if (cert === '') return undefined
  return readTls({ cert, key, ...(clientcacert !== '' && { clientCa: clientcacert }) }, protocolOf(config))
}

function open(tls: SecureContextOptions | undefined, isMutual: boolean, answer: RequestListener): Server {
  const limits = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }
  if (tls === undefined) return createServer(limits, answer)
  const mutual = { requestCert: isMutual, rejectUnauthorized: isMutual }
  return createTlsServer({ ...limits, ...tls, ...mutual, handshakeTimeout: REQUEST_MS }, answer)
}
