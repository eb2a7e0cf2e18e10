/** One request to its answer: where it goes, what it says, what the handler makes of it. Never rejects. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { within } from '../shared/deadline.ts'
import type { Log } from '../shared/log.ts'
import type { Turns } from '../shared/turns.ts'
import type { WebhookRequest } from '../shared/webhook/requests.ts'
import { type WebhookName, webhooks } from '../shared/webhook/webhooks.ts'
import { acceptsJson } from './accept.ts'
import { type Body, type Room, readBody } from './body.ts'
import { encodeAnswer } from './encode.ts'
import { type Context, Unavailable } from './handlers.ts'
import { failure, notAllowed, type Reply, refusal } from './reply.ts'

export interface Route {
  readonly name: WebhookName
  handle(request: WebhookRequest, context: Context): unknown
}

export interface Desk {
  readonly log: Log
  /** By the last segment of the path. */
  readonly routes: ReadonlyMap<string, Route>
  /** Where everything goes that has no route. */
  readonly otherwise: Route | undefined
  /** JSON text. */
  readonly openApi: string
  readonly limits: DeskLimits
  readonly room: Room
  readonly turns: Turns
  /** The server stops: connections are not kept. */
  readonly stopping: AbortSignal
}
export interface DeskLimits {
  /** Of one request. */
  readonly requestBytes: number
  /** For a handler. */
  readonly answerMs: number
}

const failedCode = { auth: 'AUTH_SERVER_DECODE_FAILED', config: 'CONFIG_SERVER_DECODE_FAILED' } as const

export async function respond(desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  const gone = new AbortController()
  response.once('close', () => {
    if (response.writableFinished) return
    gone.abort(new Error('the caller went away'))
    desk.log.emit('HTTP_SERVER_RESPONSE_WRITE_FAILED', { method: request.method, path })
  })
  // Requests may come one after the other on a connection without waiting for answers, so connections do not bound them.
  const mine = await desk.turns.enter(gone.signal)
  try {
    const reply = mine ? await replyTo(desk, request, path, gone.signal) : failure(503)
    if (!response.destroyed) send(response, reply, desk.stopping.aborted)
  } finally {
    if (mine) desk.turns.leave()
  }
}

function send(response: ServerResponse, { status, body, allow }: Reply, closes: boolean): void {
  response.writeHead(status, {
    ...(body !== '' && { 'content-type': 'application/json' }),
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(allow !== undefined && { allow }),
    ...(closes && { connection: 'close' }),
  })
  response.end(body)
}

async function replyTo(desk: Desk, request: IncomingMessage, path: string, signal: AbortSignal): Promise<Reply> {
  const last = path.slice(path.lastIndexOf('/') + 1)
  if (last === 'openapi.json') {
    if (request.method !== 'GET' && request.method !== 'HEAD') return notAllowed('GET, HEAD')
    return unacceptable(request) ?? { status: 200, body: desk.openApi }
  }
  const route = desk.routes.get(last) ?? desk.otherwise
  if (route === undefined) return failure(404)
  if (request.method !== 'POST') return notAllowed('POST')
  return unacceptable(request) ?? (await decide(desk, route, request, path, signal))
}

/** The Go program's server would have no body either. */
function unacceptable({ headers }: IncomingMessage): Reply | undefined {
  const acceptance = acceptsJson(headers.accept)
  if (acceptance === 'yes') return undefined
  return { status: acceptance === 'no' ? 406 : 400, body: '' }
}

async function decide(
  desk: Desk,
  route: Route,
  request: IncomingMessage,
  path: string,
  signal: AbortSignal,
): Promise<Reply> {
  let body: Body | Reply
  try {
    body = await readBody(request, desk.limits.requestBytes, desk.room)
  } catch {
    return failure(400) // nobody is there to read it
  }
  if ('status' in body) return body
  using taken = body
  const code = failedCode[webhooks[route.name].server]
  let asked: WebhookRequest
  try {
    asked = webhooks[route.name].request(parse(taken.bytes), '')
  } catch (cause) {
    desk.log.emit(code, { path }, { cause })
    return failure(400, cause instanceof Error ? cause.message : '')
  }
  return await handle(desk, route, asked, path, signal)
}

async function handle(
  { limits, log }: Desk,
  route: Route,
  asked: WebhookRequest,
  path: string,
  signal: AbortSignal,
): Promise<Reply> {
  const { connectionId, username } = asked
  const { server } = webhooks[route.name]
  let result: unknown
  try {
    result = await within('the handler', limits.answerMs, signal, async (inner) =>
      route.handle(asked, { signal: inner }),
    )
  } catch (cause) {
    if (cause instanceof Unavailable) return failure(503)
    if (!signal.aborted) log.emit(failedCode[server], { path, connectionId, username }, { level: 'error', cause })
    return server === 'auth' ? refusal : failure(500)
  }
  try {
    return { status: 200, body: encodeAnswer(route.name, result, asked) }
  } catch (cause) {
    log.with({ connectionId, username }).emit('HTTP_SERVER_ENCODE_FAILED', { method: 'POST', path }, { cause })
    return failure(500)
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** @throws Error without a word of the text, which may hold secrets */
function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(decoder.decode(bytes))
  } catch {
    throw new Error(bytes.length === 0 ? 'it is empty' : 'it is not JSON')
  }
}
