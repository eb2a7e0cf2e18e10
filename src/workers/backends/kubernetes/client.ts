/** The way to the API server. The only file that knows the client library; none of its types or errors leave it. */
import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { KubeConfig } from '@kubernetes/client-node'
import { Agent } from 'undici'
import { within } from '../../../shared/deadline.ts'
import { linesOf, noAnswer, refusal, textOf } from './answer.ts'
import { callBegins, callFailed } from './calls.ts'
import { type ConnectionSettings, type Credentials, credentialsOf } from './credentials.ts'
import { ApiError, asApiError } from './failure.ts'
import { createPace } from './pace.ts'
import { createServers } from './servers.ts'

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
  /** The same paths for a WebSocket that `open` makes; the query may name a key several times. @throws ApiError */
  stream<T>(path: string, query: URLSearchParams, signal: AbortSignal, open: (door: Door) => Promise<T>): Promise<T>
  /** The same for somebody of whom the others are to notice nothing: see pace.ts. */
  inLine(line: string): Client
  close(): Promise<void>
}

/** Who we are to the servers, and how we know them. */
interface Access extends Omit<Door, 'url'> {
  readonly agent: Agent
}

/** Tokens and certificates in files are read again when what we know of them is older. */
const freshMs = 10_000

/** @throws Error with a sentence when the settings make no client. `callMs` bounds each call. */
export function connect(settings: ConnectionSettings, callMs: number): Client {
  const credentials = credentialsOf(settings)
  const kube = kubeOf(credentials)
  const own = kube.getCurrentCluster()?.server ?? ''
  const servers = createServers([own.replace(/\/+$/, ''), ...credentials.moreServers])
  const pace = createPace(settings.qps, settings.burst)
  const access = createAccess(kube, credentials.tokenFile, servers.count === 1 ? callMs : callMs / 3)

  const urlOf = (server: string, { path, group = `${settings.path}/v1` }: Pick<Call, 'path' | 'group'>): string =>
    `${server}${group}${path}`
  /** In its turn; at another server when one cannot be reached; once more when the token has just been replaced. */
  const reach = async <T>(
    line: string,
    signal: AbortSignal,
    act: (server: string, how: Access) => Promise<T>,
  ): Promise<T> => {
    await pace.turn(line, signal)
    let how = await access.get()
    let renewed = false
    for (let left = servers.count; ; ) {
      const server = servers.current
      try {
        return await act(server, how)
      } catch (thrown) {
        const error = asApiError(thrown)
        if (signal.aborted) throw thrown
        if (error.statusCode === 0) servers.leave(server)
        if (error.isUnsent && --left > 0) continue
        if (error.statusCode !== 401 || renewed) throw error
        renewed = true
        const newer = await access.renew(how)
        if (isDeepStrictEqual(newer.headers, how.headers)) throw error
        how = newer
      }
    }
  }
  /** Resolves with the head of an answer that is no refusal. */
  const ask = async (call: Call, server: string, { agent, headers }: Access, signal: AbortSignal) => {
    callBegins()
    const url = new URL(urlOf(server, call))
    for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, String(value))
    const answer = await agent.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: call.method,
      signal,
      headers: {
        ...headers,
        accept: 'application/json',
        'user-agent': 'ContainerSSH',
        ...(call.body !== undefined && { 'content-type': call.contentType ?? 'application/json' }),
      },
      body: call.body === undefined ? null : JSON.stringify(call.body),
    })
    const { statusCode, headers: head, body } = answer
    if (statusCode >= 300) throw refusal(statusCode, head, await textOf(body).catch(() => ''))
    return body
  }
  const told = (server: string, error: unknown): ApiError =>
    error instanceof ApiError ? error : noAnswer(server, error)
  const failed = (server: string, error: unknown): ApiError => {
    callFailed()
    return told(server, error)
  }
  const inLine = (line: string): Client => ({
    get server() {
      return servers.current
    },
    request: (call, signal) =>
      reach(line, signal, async (server, how) => {
        try {
          return await within(`${call.method} ${call.path}`, callMs, signal, async (limited) => {
            const text = await textOf(await ask(call, server, how, limited))
            return text === '' ? undefined : (JSON.parse(text) as unknown)
          })
        } catch (error) {
          throw failed(server, error)
        }
      }),
    async *lines(call, signal) {
      const body = await reach(line, signal, (server, how) =>
        ask(call, server, how, signal).catch((error: unknown) => {
          throw failed(server, error)
        }),
      )
      try {
        yield* linesOf(body)
      } catch (error) {
        throw told(servers.current, error)
      }
    },
    stream: (path, query, signal, open) =>
      reach(line, signal, (server, { headers, tls }) =>
        open({ url: `${urlOf(server, { path }).replace(/^http/, 'ws')}?${query}`, headers, tls }),
      ),
    inLine,
    close: access.close,
  })
  return inLine('')
}

/** @throws Error with a sentence */
function kubeOf({ kubeconfig, context, options }: Credentials): KubeConfig {
  const kube = new KubeConfig()
  // The library's type has methods of its own classes where plain objects do.
  if (kubeconfig === '') kube.loadFromOptions(options as object)
  else loadFile(kube, kubeconfig, context)
  // Without this the library refuses what it takes for TLS; `applied` does without its opinion there.
  kube.clusters = kube.clusters.map((one) => (isPlain(one.server) ? { ...one, skipTLSVerify: true } : one))
  return kube
}

const isPlain = (server: string): boolean => server.toLowerCase().startsWith('http:')

function loadFile(kube: KubeConfig, file: string, context: string): void {
  try {
    kube.loadFromFile(file)
  } catch (cause) {
    throw new Error(`kubernetes.connection.kubeconfig: ${(cause as Error).message}`, { cause })
  }
  if (context !== '') kube.setCurrentContext(context)
  const name = kube.getCurrentContext()
  if (kube.getCurrentCluster() === null || kube.getCurrentUser() === null) {
    throw new Error(`kubernetes.connection.kubeconfig: ${file} has no context ${JSON.stringify(name ?? '')}`)
  }
}

interface AccessKeeper {
  get(): Promise<Access>
  /** Anew, unless `old` has been replaced meanwhile. */
  renew(old: Access): Promise<Access>
  close(): Promise<void>
}

/** One agent for as long as the certificates stay the same; what is under way on an older one goes on to its end. */
function createAccess(kube: KubeConfig, tokenFile: string, connectMs: number): AccessKeeper {
  let known: { readonly value: Promise<Access>; readonly until: number } | undefined
  let last: Access | undefined
  const read = async (): Promise<Access> => {
    const { headers, tls } = await applied(kube, tokenFile).catch((cause: unknown) => {
      throw new ApiError(0, `the credentials for the API server cannot be had: ${(cause as Error).message}`, { cause })
    })
    const agent = last !== undefined && isDeepStrictEqual(tls, last.tls) ? last.agent : newAgent(tls, connectMs)
    last = { headers, tls, agent }
    return last
  }
  const get = (): Promise<Access> => {
    if (known !== undefined && performance.now() < known.until) return known.value
    const value = read()
    known = { value, until: performance.now() + freshMs }
    value.catch(() => {
      known = undefined
    })
    return value
  }
  return {
    get,
    renew(old) {
      if (last === old) known = undefined
      return get()
    },
    close: async () => last?.agent.destroy(),
  }
}

const newAgent = (tls: TlsSettings, connectMs: number): Agent =>
  new Agent({ connect: { ...tls, timeout: connectMs }, headersTimeout: 0, bodyTimeout: 0, connections: 64 })

/** @throws Error when a file cannot be read or a program of the kubeconfig gives no credentials */
async function applied(kube: KubeConfig, tokenFile: string): Promise<Pick<Door, 'headers' | 'tls'>> {
  const options: { headers: Record<string, string>; auth?: string } & TlsSettings = { headers: {} }
  await kube.applyToHTTPSOptions(options as never) // the part of https.RequestOptions that it fills
  const { headers, auth, ca, cert, key, servername, rejectUnauthorized } = options
  if (auth !== undefined) headers['Authorization'] = `Basic ${Buffer.from(auth).toString('base64')}`
  if (tokenFile !== '') headers['Authorization'] = `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`
  const isInsecure = rejectUnauthorized === false && !isPlain(kube.getCurrentCluster()?.server ?? '')
  return { headers, tls: { ca, cert, key, servername, ...(isInsecure && { rejectUnauthorized: false }) } }
}
