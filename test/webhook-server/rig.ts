/** Servers of a test's own, and callers that say exactly what they are told to. */
import { once } from 'node:events'
import { request as plainRequest } from 'node:http'
import { type RequestOptions, request as tlsRequest } from 'node:https'
import { connect, type Socket } from 'node:net'
import { formatLine } from '../../src/shared/log/format.ts'
import type { LogRecord } from '../../src/shared/log.ts'
import type { WebhookServer, WebhookServerOptions } from '../../src/webhook-server/index.ts'
import { record as keepForCodes, until } from '../rigs/daemon.ts'

export interface TestServer<S> extends AsyncDisposable {
  readonly server: S
  readonly url: string
  readonly records: readonly LogRecord[]
  /** The first record with the code, past or to come. */
  seen(code: string): Promise<LogRecord>
}

export async function start(
  create: (options: WebhookServerOptions) => Promise<WebhookServer>,
  options: WebhookServerOptions = {},
): Promise<TestServer<WebhookServer>> {
  const records: LogRecord[] = []
  const write = (record: LogRecord): void => {
    records.push(record)
    keepForCodes(formatLine(record, 'ljson').trimEnd())
  }
  const server = await create({ listen: '127.0.0.1:0', ...options, log: { level: 'debug', write } })
  return {
    server,
    url: server.url,
    records,
    seen: (code) => until(code, () => records.find((record) => record.code === code)),
    [Symbol.asyncDispose]: () => server.close(),
  }
}

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
}

/** One request on a connection of its own. A body that is no text is sent as JSON. */
export async function call(url: string, body?: unknown, options: RequestOptions = {}): Promise<Answered> {
  const send = url.startsWith('https:') ? tlsRequest : plainRequest
  const request = send(url, { method: body === undefined ? 'GET' : 'POST', agent: false, ...options })
  request.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body))
  const [response] = await once(request, 'response')
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { status: response.statusCode, headers: response.headers, body: text }
}

export async function dial(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

export const alice = { username: 'alice', connectionId: 'cafe', remoteAddress: '127.0.0.1:4711', clientVersion: '' }
export const password = (text: string) => ({ ...alice, passwordBase64: Buffer.from(text).toString('base64') })
