/** The way to the API server. The only file that knows the client library; none of its types or errors leave it. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { KubeConfig } from '@kubernetes/client-node'
import { Agent } from 'undici'
import { within } from '../../../shared/deadline.ts'
import { type ConnectionSettings, kubeOptions } from './credentials.ts'
import { ApiError } from './failure.ts'
import { createPace } from './pace.ts'

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE' | 'PATCH'
  /** Below the version, such as `/namespaces/default/pods`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean>>
  readonly body?: object
  /** Default: application/json. */
  readonly contentType?: string
  /** Default: `/v1` of `path` in the settings. Another group, such as `/apis/authorization.k8s.io/v1`. */
  readonly group?: string
}
/** What a WebSocket needs to know. */
export interface Door {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly tls: TlsSettings
}
export interface TlsSettings {
  readonly ca?: string | Buffer | undefined
  readonly cert?: string | Buffer | undefined
  readonly key?: string | Buffer | undefined
  readonly servername?: string | undefined
  readonly rejectUnauthorized?: boolean | undefined
}

export interface Client {
  /** URL, for messages. */
  readonly server: string
  /** The decoded body. @throws ApiError */
  request(call: Call, signal: AbortSignal): Promise<unknown>
  /** One JSON value a line, until the server or the signal ends it. @throws ApiError */
  lines(call: Call, signal: AbortSignal): AsyncGenerator<unknown>
  /** The same paths for a WebSocket; the query may name a key several times. @throws ApiError */
  door(path: string, query: URLSearchParams, signal: AbortSignal): Promise<Door>
  close(): Promise<void>
}

/** A token in a file is read again by the library when it is older than a minute. */
const credentialsMs = 10_000
const mostAnswerBytes = 8 * 2 ** 20

/** @throws Error with a sentence when the settings make no client. `callMs` bounds each call. */
export function connect(settings: ConnectionSettings, callMs: number): Client {
  const kube = new KubeConfig()
  // The library's type has methods of its own classes where plain objects do.
  kube.loadFromOptions(kubeOptions(settings) as object)
  const server = kube.getCurrentCluster()?.server ?? ''
  const tls = tlsOf(kube)
  const agent = new Agent({ connect: { ...tls, timeout: callMs }, headersTimeout: 0, bodyTimeout: 0, connections: 64 })
  const pace = createPace(settings.qps, settings.burst)
  let headers: { readonly value: Readonly<Record<string, string>>; readonly until: number } | undefined

  const credentials = async (): Promise<Readonly<Record<string, string>>> => {
    if (headers !== undefined && performance.now() < headers.until) return headers.value
    headers = { value: await headersOf(kube), until: performance.now() + credentialsMs }
    return headers.value
  }
  const pathOf = ({ path, query, group = `${settings.path}/v1` }: Call): string => {
    const text = new URLSearchParams(
      Object.entries(query ?? {}).map(([name, value]): [string, string] => [name, String(value)]),
    )
    return `${new URL(server).pathname.replace(/\/$/, '')}${group}${path}${text.size === 0 ? '' : `?${text}`}`
  }
  /** Resolves with the head of the answer. */
  const ask = async (call: Call, signal: AbortSignal) => {
    try {
      return await agent.request({
        origin: new URL(server).origin,
        path: pathOf(call),
        method: call.method,
        signal,
        headers: {
          ...(await credentials()),
          accept: 'application/json',
          'user-agent': 'ContainerSSH',
          ...(call.body !== undefined && { 'content-type': call.contentType ?? 'application/json' }),
        },
        body: call.body === undefined ? null : JSON.stringify(call.body),
      })
    } catch (error) {
      throw noAnswer(server, error)
    }
  }
  const refused = async (statusCode: number, head: IncomingHttpHeaders, body: Readable): Promise<ApiError> => {
    if (statusCode === 401) headers = undefined
    return refusal(statusCode, head, await textOf(body).catch(() => ''))
  }
  return {
    server,
    async request(call, signal) {
      await pace.turn(signal)
      try {
        return await within(`${call.method} ${call.path}`, callMs, signal, async (limited) => {
          const { statusCode, headers: head, body } = await ask(call, limited)
          if (statusCode >= 300) throw await refused(statusCode, head, body)
          const text = await textOf(body)
          return text === '' ? undefined : (JSON.parse(text) as unknown)
        })
      } catch (error) {
        throw error instanceof ApiError ? error : noAnswer(server, error)
      }
    },
    async *lines(call, signal) {
      await pace.turn(signal)
      const { statusCode, headers: head, body } = await ask(call, signal)
      if (statusCode >= 300) throw await refused(statusCode, head, body)
      try {
        yield* linesOf(body)
      } catch (error) {
        throw error instanceof ApiError ? error : noAnswer(server, error)
      }
    },
    async door(path, query, signal) {
      await pace.turn(signal)
      const url = `${new URL(server).origin.replace(/^http/, 'ws')}${pathOf({ method: 'GET', path })}?${query}`
      return { url, headers: await credentials(), tls }
    },
    close: () => agent.destroy(),
  }
}

function tlsOf(kube: KubeConfig): TlsSettings {
  const cluster = kube.getCurrentCluster()
  const user = kube.getCurrentUser()
  const decoded = (data: string | undefined): Buffer | undefined =>
    data === undefined ? undefined : Buffer.from(data, 'base64')
  return {
    ca: decoded(cluster?.caData),
    cert: decoded(user?.certData),
    key: decoded(user?.keyData),
    servername: cluster?.tlsServerName,
    ...(cluster?.skipTLSVerify === true && { rejectUnauthorized: false }),
  }
}

async function headersOf(kube: KubeConfig): Promise<Record<string, string>> {
  const options: { headers: Record<string, string>; auth?: string } = { headers: {} }
  await kube.applyToHTTPSOptions(options as never) // the part of https.RequestOptions that it fills
  const { headers, auth } = options
  return auth === undefined ? headers : { ...headers, Authorization: `Basic ${Buffer.from(auth).toString('base64')}` }
}

async function textOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    const bytes = chunk as Buffer // the stream has no encoding
    size += bytes.length
    if (size > mostAnswerBytes) throw new ApiError(200, `the answer is larger than ${mostAnswerBytes} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function* linesOf(body: Readable): AsyncGenerator<unknown> {
  let rest = ''
  for await (const text of body.setEncoding('utf8')) {
    const lines = (rest + String(text)).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > mostAnswerBytes) throw new ApiError(200, `a line is longer than ${mostAnswerBytes}`)
    for (const line of lines) if (line !== '') yield JSON.parse(line) as unknown
  }
}

/** From a Status object (kubernetes.io: Common Definitions, Status), or from whatever a proxy in between says. */
export function refusal(statusCode: number, head: IncomingHttpHeaders, body: string): ApiError {
  const retryAfterMs = Number(head['retry-after'] ?? 0) * 1000 || 0
  try {
    const { message, reason } = JSON.parse(body) as { message?: unknown; reason?: unknown }
    if (typeof message === 'string') {
      return new ApiError(statusCode, message, { reason: typeof reason === 'string' ? reason : '', retryAfterMs })
    }
  } catch {
    // no JSON
  }
  return new ApiError(statusCode, body.trim().slice(0, 1000) || `status ${statusCode}`, { retryAfterMs })
}

export const noAnswer = (server: string, cause: unknown): ApiError =>
  new ApiError(0, `the API server at ${server} does not answer: ${(cause as Error).message}`, { cause })
