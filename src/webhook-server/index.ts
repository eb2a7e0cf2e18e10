/**
 * Helpers for one's own webhook servers, exported as `containerssh/webhook`. Neither the daemon nor its workers use this
 * folder: a webhook server is a program of its own, mostly on another machine.
 */
import { formatLine } from '../shared/log/format.ts'
import { createLog, type Level, type LogRecord } from '../shared/log.ts'
import type { TlsFiles } from '../shared/tls-server.ts'
import type { AuthHandlers, ConfigHandler, WebhookHandlers } from './handlers.ts'
import { type Limits, serve, type WebhookServer } from './server.ts'

export type { PasswordVerdict } from '../shared/credentials.ts'
export { createCredentials } from '../shared/credentials.ts'
export type { LogRecord } from '../shared/log.ts'
export { hashPassword, verifyPassword } from '../shared/password.ts'
export type { TlsFiles } from '../shared/tls-server.ts'
export type { FileDatum, Metadatum } from '../shared/webhook/data.ts'
export { openApi } from '../shared/webhook/openapi.ts'
export type * from '../shared/webhook/requests.ts'
export type * from './handlers.ts'
export { Unavailable } from './handlers.ts'
export type { Limits, WebhookServer } from './server.ts'

export interface WebhookServerOptions {
  /** `host:port`; port 0: a free one. Default `127.0.0.1:8080`. */
  readonly listen?: string
  /** HTTPS, and who may call. Whoever can ask a server without `clientCa` can try passwords. */
  readonly tls?: TlsFiles
  readonly limits?: Partial<Limits>
  /** Default: level info, one JSON object per line on standard output. */
  readonly log?: { readonly level?: Level; write?(record: LogRecord): void }
}

/** Passwords, keys, keyboard-interactive and authorization, at the paths that the daemon appends to its `url`. */
export const createAuthServer = (handlers: AuthHandlers, options: WebhookServerOptions = {}): Promise<WebhookServer> =>
  create('Authentication server', handlers, options, false)

/** The configuration of each user. It answers at every path. */
export const createConfigServer = (
  handler: ConfigHandler,
  options: WebhookServerOptions = {},
): Promise<WebhookServer> => create('Configuration server', { configuration: handler }, options, true)

/** Both at one address; the configuration is at `/config`. */
export const createWebhookServer = (
  handlers: WebhookHandlers,
  options: WebhookServerOptions = {},
): Promise<WebhookServer> => create('Webhook server', handlers, options, false)

/** Resolves when it listens. @throws Error that says what of the options cannot be used; Fault HTTP_LISTEN_FAILED */
function create(service: string, handlers: WebhookHandlers, options: WebhookServerOptions, anyPath: boolean) {
  const { listen = '127.0.0.1:8080', tls, limits = {}, log = {} } = options
  const write = log.write ?? ((record: LogRecord) => void process.stdout.write(formatLine(record, 'ljson')))
  return serve(handlers, {
    ...{ service, listen, tls, limits, anyPath },
    log: createLog({ level: log.level ?? 'info', labels: { module: 'webhook' }, write }),
  })
}
