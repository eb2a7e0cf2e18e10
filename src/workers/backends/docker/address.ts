/** Where the engine is: the forms of `docker.connection.host`. DOCKER_* environment variables are never looked at. */
import { createSecureContext, type SecureContext } from 'node:tls'

export type Address =
  | { readonly kind: 'unix'; readonly host: string; readonly path: string }
  | {
      readonly kind: 'tcp'
      /** As configured, for messages. */
      readonly host: string
      readonly hostname: string
      readonly port: number
      /** `undefined`: plain. An empty object: TLS with the system's authorities and no client certificate. */
      readonly tls: Tls | undefined
    }
export interface Tls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** Parsed once, not at each connection. With a client certificate nothing older than TLS 1.3. @throws Error from OpenSSL */
export function secureContextOf(tls: Tls): SecureContext {
  try {
    return createSecureContext({ ...tls, minVersion: tls.key === undefined ? 'TLSv1.2' : 'TLSv1.3' })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`cacert, cert and key make no TLS client: ${reason}`, { cause })
  }
}

export interface ConnectionSettings {
  readonly host: string
  /** PEM texts. TLS is used only if all three are given. */
  readonly cacert: string
  readonly cert: string
  readonly key: string
}

/** The ports that the Docker programs use when the URL has none. */
const PLAIN_PORT = 2375
const TLS_PORT = 2376

/** @throws Error whose message is a sentence for the administrator. */
export function parseAddress(settings: ConnectionSettings): Address {
  const { host } = settings
  if (host.startsWith('unix://')) {
    const path = host.slice('unix://'.length)
    if (!path.startsWith('/')) throw new Error(`${host} has no absolute path of a socket`)
    return { kind: 'unix', host, path }
  }
  // A bare `host:port` is what the public manual shows.
  const url = parseUrl(host, host.includes('://') ? host : `tcp://${host}`)
  if (!['tcp:', 'http:', 'https:'].includes(url.protocol)) throw new Error(`${host} has an unknown scheme`)
  if (url.hostname === '') throw new Error(`${host} has no host name`)
  if (!host.includes('://') && url.port === '') throw new Error(`${host} is neither a URL nor host:port`)
  if (!['', '/'].includes(url.pathname)) throw new Error(`${host} has a path, which is not supported`)
  const tls = tlsOf(settings, url.protocol)
  const port = url.port === '' ? (tls === undefined ? PLAIN_PORT : TLS_PORT) : Number(url.port)
  return { kind: 'tcp', host, hostname: url.hostname.replace(/^\[|\]$/g, ''), port, tls }
}

/** The scheme is replaced because the URL standard leaves the host of unknown schemes such as `tcp:` unchecked. */
function parseUrl(host: string, text: string): { protocol: string; hostname: string; port: string; pathname: string } {
  const scheme = text.slice(0, text.indexOf('://') + 1)
  try {
    // `ws:` is a scheme with checked hosts whose default port, 80, nobody means here: an explicit :80 would vanish.
    const url = new URL(text.replace(/^[^:]*:\/\//, 'ws://'))
    const port = /:(\d+)\/?$/.exec(text)?.[1] ?? ''
    return { protocol: scheme, hostname: url.hostname, port, pathname: url.pathname }
  } catch {
    throw new Error(`${host} is not an engine URL`)
  }
}

function tlsOf(settings: ConnectionSettings, scheme: string): Tls | undefined {
  const { cacert: ca, cert, key } = settings
  if (ca !== '' && cert !== '' && key !== '') return { ca, cert, key }
  return scheme === 'https:' ? {} : undefined
}
