/** The server itself: it listens, bounds what callers can ask of it, and stops in order. */
import { createServer, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { listenHttp } from '../shared/http-listen.ts'
import type { Log } from '../shared/log.ts'
import { readTls, type TlsFiles } from '../shared/tls-server.ts'
import { createTurns } from '../shared/turns.ts'
import { openApi } from '../shared/webhook/openapi.ts'
import { type WebhookName, webhookNames, webhooks } from '../shared/webhook/webhooks.ts'
import type { WebhookHandlers } from './handlers.ts'
import { type Desk, type Route, respond } from './respond.ts'
import { callersOf, stop } from './stop.ts'

export interface Limits {
  /** Of one request; files for the container come in some. */
  readonly requestBytes: number
  /** Of all requests that are being read. */
  readonly totalBytes: number
  /** Each has one request at a time; the daemon keeps as many as it has logins at a time. */
  readonly connections: number
  /** From the first byte of a request to its last. */
  readonly requestMs: number
  /** For a handler. */
  readonly answerMs: number
  /** For the requests that are on their way when the server is closed. */
  readonly stopMs: number
}
const usual: Limits = {
  requestBytes: 16 * 2 ** 20,
  totalBytes: 128 * 2 ** 20,
  connections: 4096,
  requestMs: 10_000,
  answerMs: 30_000,
  stopMs: 10_000,
}
/** Longer than the daemon keeps a connection without a request. */
const keepAliveMs = 10_000

export interface ServeOptions {
  /** In the log. */
  readonly service: string
  readonly listen: string
  readonly tls: TlsFiles | undefined
  readonly limits: Partial<Limits>
  readonly log: Log
  /** The only webhook answers at every path: daemons are configured with the whole URL of it. */
  readonly anyPath: boolean
}

export interface WebhookServer extends AsyncDisposable {
  /** What the daemon is configured with, without a path. */
  readonly url: string
  /** Reads certificates that are files again, for new connections. @throws Error that says what cannot be used */
  renewTls(): Promise<void>
  /** Answers what has been asked, and nothing more. */
  close(): Promise<void>
}

export async function serve(handlers: WebhookHandlers, options: ServeOptions): Promise<WebhookServer> {
  const limits = { ...usual, ...options.limits }
  const stopping = new AbortController()
  const desk = deskOf(handlers, options, limits, stopping.signal)
  const server = await open(options, limits)
  const callers = callersOf(server, options.tls === undefined ? 'connection' : 'secureConnection')
  server.on('request', (request, response) => {
    callers.asked(request.socket, response)
    void respond(desk, request, response)
  })
  const url = await listenHttp(server, options.listen, options.service, options.tls === undefined ? 'http' : 'https')
  const { log } = options
  if (webhookNames.some((name) => webhooks[name].server === 'auth' && handlers[name] !== undefined)) {
    log.emit('AUTH_AVAILABLE', { url })
  }
  if (handlers.configuration !== undefined) {
    log.emit('CONFIG_SERVER_AVAILABLE', { url: options.anyPath ? url : `${url}/${webhooks.configuration.path}` })
  }
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    stopping.abort()
    closed ??= stop(server, callers, limits.stopMs)
    return closed
  }
  return {
    url,
    async renewTls() {
      if (options.tls !== undefined) (server as TlsServer).setSecureContext(await readTls(options.tls)) // as open() made it
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function deskOf(handlers: WebhookHandlers, options: ServeOptions, limits: Limits, stopping: AbortSignal): Desk {
  const names = webhookNames.filter((name) => handlers[name] !== undefined)
  const routes = new Map(names.map((name) => [webhooks[name].path, routeOf(name, handlers)]))
  const [only] = names
  return {
    log: options.log,
    routes,
    otherwise: options.anyPath && only !== undefined ? routeOf(only, handlers) : undefined,
    openApi: `${JSON.stringify(openApi(names))}\n`,
    limits,
    room: { most: limits.totalBytes, taken: 0 },
    turns: createTurns(limits.connections, 0),
    stopping,
  }
}

const routeOf = (name: WebhookName, handlers: WebhookHandlers): Route => ({
  name,
  // The request has been read by the reader of the same name.
  handle: (request, context) => handlers[name]?.(request as never, context),
})

async function open({ tls, log }: ServeOptions, limits: Limits): Promise<Server> {
  const { requestMs, answerMs } = limits
  const common: ServerOptions = {
    headersTimeout: requestMs,
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: Math.min(1000, requestMs),
  }
  const client = tls?.clientCa !== undefined
  const server =
    tls === undefined
      ? createServer(common)
      : createTlsServer({
          ...common,
          ...(await readTls(tls)),
          handshakeTimeout: requestMs,
          requestCert: client,
          rejectUnauthorized: client,
        })
  server.maxConnections = limits.connections
  // Of a connection on which nothing moves: the answer is not read, or somebody only looks.
  server.timeout = requestMs + answerMs
  // One that cannot be accepted is no reason to end.
  server.on(
    'error',
    (error) => void (server.listening && log.emit('UNKNOWN_ERROR', {}, { level: 'warning', cause: error })),
  )
  server.on('tlsClientError', (error: Error, { authorizationError }: TLSSocket) => {
    log.emit('HTTP_SERVER_TLS_FAILED', {}, { cause: authorizationError ?? error })
  })
  return server
}
