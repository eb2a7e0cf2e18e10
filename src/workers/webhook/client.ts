/** The HTTP client of webhooks: one per server and worker, with connections that are kept. */
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Agent } from 'undici'
import { type Fault, fault } from '../../shared/codes/fault.ts'
import type { HttpClientSettings } from '../../shared/config/auth-checks.ts'
import { DeadlineError, within } from '../../shared/deadline.ts'
import type { Log } from '../../shared/log.ts'
import { secureContextOf } from '../../shared/tls-client.ts'
import { createTurns } from '../../shared/turns.ts'
import { encodeJson, firstJsonValue } from '../../shared/webhook/json.ts'
import { authorizationOf, shownUrl, targetOf } from './address.ts'
import { Circuit } from './circuit.ts'
import { Exchange, mostAnswerBytes, type RawAnswer, TooLarge } from './exchange.ts'
import { redirectOf } from './redirect.ts'

/** Requests at a time, each on a connection of its own; a slow server must not make logins wait for each other. */
const mostRunning = 2048
const mostWaiting = 4096
const mostRedirects = 10
/** Servers close idle connections after 5 s and more; a request that meets the close would fail. */
const keepAliveMs = 4000

export interface Call<T> {
  /** Appended to the configured URL as it is. */
  readonly path: string
  readonly body: unknown
  /** @throws Error that says what is wrong, without values */
  decode(value: unknown): T
  readonly log: Log
  readonly signal: AbortSignal
  /** At most the configured limit. */
  readonly limitMs: number
}

/**
 * Whether another try can help. `if begun`: nothing was sent, because the server does not answer or too much waits for
 * it already; who has been trying before may go on, who has not is better refused at once.
 */
export type Again = 'yes' | 'no' | 'if begun'
export type Reply<T> =
  | { readonly kind: 'answer'; readonly value: T }
  /** Any but 200. */
  | { readonly kind: 'status'; readonly status: number; readonly again: Again; readonly pauseMs: number }
  | { readonly kind: 'failure'; readonly fault: Fault; readonly again: Again }

export interface HttpClient extends AsyncDisposable {
  /** As logs show it. */
  readonly endpoint: string
  /** One try. Aborted by the signal, it is a failure too. */
  post<T>(call: Call<T>): Promise<Reply<T>>
}

interface Labels {
  readonly method: string
  readonly endpoint: string
  readonly path: string
  readonly url: string
}

// The whole of the library costs 14 MiB more per worker (fetch, WebSocket, caches), and nothing here uses them.
const loadAgent = (): typeof Agent => createRequire(import.meta.url)('undici/lib/dispatcher/agent.js') as typeof Agent // its types are those of the package

export function createHttpClient(settings: HttpClientSettings): HttpClient {
  const isTls = settings.url.startsWith('https:') || settings.allowRedirects
  const agent = new (loadAgent())({
    allowH2: false,
    connections: mostRunning,
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: settings.timeout,
      ...(isTls && { secureContext: secureContextOf(settings), rejectUnauthorized: true }),
    },
  })
  const turns = createTurns(mostRunning, mostWaiting)
  const circuit = new Circuit()
  const endpoint = shownUrl(settings.url)
  const context: Context = { settings, agent, circuit }
  return {
    endpoint,
    async post(call) {
      const labels = { method: 'POST', endpoint, path: call.path, url: shownUrl(settings.url + call.path) }
      if (!circuit.admits(settings.timeout)) return notSent(labels, 'it has not answered for a while')
      if (!(await turns.enter(call.signal))) return notSent(labels, 'too many requests wait for it')
      try {
        return await converse(context, call, labels)
      } finally {
        turns.leave()
      }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  }
}

interface Context {
  readonly settings: HttpClientSettings
  readonly agent: Agent
  readonly circuit: Circuit
}

const failed = (labels: Labels, cause: unknown, again: Again): Reply<never> => ({
  kind: 'failure',
  fault: fault('HTTP_CLIENT_CONNECTION_FAILED', labels, { cause }),
  again,
})
const notSent = (labels: Labels, why: string): Reply<never> => failed(labels, why, 'if begun')

async function converse<T>(context: Context, call: Call<T>, labels: Labels): Promise<Reply<T>> {
  const { settings, circuit } = context
  const limitMs = Math.min(settings.timeout, call.limitMs)
  let answer: RawAnswer | Reply<never>
  try {
    answer = await within('the HTTP request', limitMs, call.signal, (signal) => follow(context, call, labels, signal))
  } catch (error) {
    if (error instanceof TooLarge) return undecodable(labels, error.status, error)
    if (call.signal.aborted) return failed(labels, error, 'no')
    if (!(error instanceof DeadlineError) || limitMs === settings.timeout) circuit.failed()
    return failed(labels, error, isDistrust(error) ? 'no' : 'yes')
  }
  if ('kind' in answer) return answer
  const { status, headers } = answer
  // The rest of 5xx comes from a server that is there, and may concern one user only.
  if (status >= 502 && status <= 504) circuit.failed()
  else circuit.succeeded()
  if (status !== 200) {
    const again = status >= 500 || status === 429 || status === 408 ? 'yes' : 'no'
    return { kind: 'status', status, again, pauseMs: retryAfterMs(headers['retry-after']) }
  }
  try {
    return { kind: 'answer', value: call.decode(firstJsonValue(await textOf(answer))) }
  } catch (error) {
    return undecodable(labels, status, error)
  }
}

/** The same server would send the same again. */
const undecodable = (labels: Labels, statusCode: number, cause: unknown): Reply<never> => ({
  kind: 'failure',
  fault: fault('HTTP_CLIENT_DECODE_FAILED', { ...labels, statusCode }, { cause }),
  again: 'no',
})
const unmakeable = (labels: Labels, cause: unknown): Reply<never> => ({
  kind: 'failure',
  fault: fault('HTTP_CLIENT_ENCODE_FAILED', labels, { cause }),
  again: 'no',
})

/** Sends the request, and sends it on where the answers say, if that is allowed. */
async function follow(
  context: Context,
  { path, body, log }: Call<unknown>,
  first: Labels,
  signal: AbortSignal,
): Promise<RawAnswer | Reply<never>> {
  const { settings } = context
  let target = targetOf(settings.url + path)
  let labels = first
  let text: string | undefined
  try {
    text = encodeJson(body)
  } catch (error) {
    return unmakeable(labels, error)
  }
  for (let hops = 0; ; hops++) {
    if (target === undefined) return unmakeable(labels, 'the URL is not one of http or https')
    log.emit('HTTP_CLIENT_REQUEST', labels)
    const answer = await send(context.agent, target, text, signal, (statusCode) =>
      log.emit('HTTP_CLIENT_RESPONSE', { ...labels, statusCode }),
    )
    const redirect = redirectOf(answer)
    if (redirect === undefined) return answer
    const next = targetOf(redirect.location, target)
    const shown = shownUrl(next?.href ?? redirect.location)
    if (!settings.allowRedirects) {
      return {
        kind: 'failure',
        fault: fault('HTTP_CLIENT_REDIRECTS_DISABLED', { ...labels, redirect: shown }),
        again: 'no',
      }
    }
    log.emit('HTTP_CLIENT_REDIRECT', { ...labels, redirect: shown })
    if (hops >= mostRedirects) return failed(labels, `more than ${mostRedirects} redirects`, 'no')
    if (target.protocol === 'https:' && next?.protocol === 'http:') {
      return failed(labels, `a redirect from https to ${shown}`, 'no')
    }
    if (!redirect.repeat) text = undefined
    labels = { ...labels, method: text === undefined ? 'GET' : 'POST', url: shown }
    target = next
  }
}

function send(
  agent: Agent,
  target: URL,
  body: string | undefined,
  signal: AbortSignal,
  started: (status: number) => void,
): Promise<RawAnswer> {
  const exchange = new Exchange(started)
  signal.addEventListener('abort', () => exchange.abort(signal.reason), { once: true })
  const authorization = authorizationOf(target)
  agent.dispatch(
    {
      origin: target.origin,
      path: target.pathname + target.search,
      method: body === undefined ? 'GET' : 'POST',
      body: body ?? null,
      headers: {
        'user-agent': 'ContainerSSH',
        accept: 'application/json',
        'content-type': 'application/json',
        'accept-encoding': 'gzip',
        ...(authorization !== undefined && { authorization }),
      },
    },
    exchange,
  )
  return exchange.answer
}

const unzip = promisify(gunzip)
async function textOf({ headers, body }: RawAnswer): Promise<string> {
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding === 'identity') return body.toString()
  if (encoding !== 'gzip') throw new Error('its encoding is not gzip')
  return (await unzip(body, { maxOutputLength: mostAnswerBytes })).toString()
}

/** RFC 9110 section 10.2.3, in its form in seconds. */
const retryAfterMs = (value: string | undefined): number => (/^\d{1,6}$/.test(value ?? '') ? Number(value) * 1000 : 0)

/** The server's certificate does not convince us, or ours not the server: the next try ends in the same way. */
const isDistrust = (error: unknown): boolean => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /CERT|SIGNED|ISSUER|SIGNATURE|ALTNAME|ERR_SSL/.test(code)
}
