/** Stands between us and an object storage, and does to requests what networks and services do on their bad days. */
import { once } from 'node:events'
import { request as ask, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { S3Operation } from '../../../src/shared/s3-call.ts'
import type { Storage } from './storage.ts'

/**
 * `reset`: the connection is cut before anything is read. `cut`: after half of the body. `stall`: nothing is read or
 * answered any more. `lose`: the request takes effect, its answer is lost.
 */
export type Disorder =
  | 'reset'
  | 'cut'
  | 'stall'
  | 'lose'
  | { readonly status: number; readonly name?: string; readonly headers?: Readonly<Record<string, string>> }
  /** Is sent on when this resolves. */
  | { readonly until: Promise<unknown> }

export interface Request {
  readonly op: S3Operation | undefined
  readonly key: string
  readonly partNumber: number | undefined
  readonly headers: IncomingMessage['headers']
  /** So many of this operation came before it. */
  readonly before: number
}

export interface FaultProxy extends AsyncDisposable {
  readonly url: string
  readonly requests: readonly Request[]
  count(op: S3Operation): number
  /** What happens to a request; undefined: it is sent on. Can be changed at any time. */
  disorder: (request: Request) => Disorder | undefined
}

function operationOf(method: string, query: URLSearchParams): S3Operation | undefined {
  const [isUpload, isUploads] = [query.has('uploadId'), query.has('uploads')]
  if (method === 'PUT') return isUpload ? 'part' : 'put'
  if (method === 'POST') return isUploads ? 'create' : 'complete'
  if (method === 'DELETE' && isUpload) return 'abort'
  if (method === 'HEAD') return 'head'
  if (method === 'GET') return isUploads ? 'uploads' : isUpload ? 'parts' : undefined
  return undefined
}

export async function startFaultProxy(storage: Pick<Storage, 'port'>): Promise<FaultProxy> {
  const requests: Request[] = []
  const count = (op: S3Operation | undefined): number => requests.filter((request) => request.op === op).length
  const server = createServer((incoming, response) => {
    const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://proxy')
    const op = operationOf(incoming.method ?? '', searchParams)
    const partNumber = searchParams.has('partNumber') ? Number(searchParams.get('partNumber')) : undefined
    const request = {
      op,
      key: decodeURIComponent(pathname.split('/').slice(2).join('/')),
      partNumber,
      headers: incoming.headers,
      before: count(op),
    }
    requests.push(request)
    incoming.on('error', () => undefined)
    response.on('error', () => undefined)
    treat(proxy.disorder(request), incoming, response, storage.port)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on a port
  const proxy: FaultProxy = {
    url: `http://127.0.0.1:${port}`,
    requests,
    count,
    disorder: () => undefined,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
  return proxy
}

function treat(
  disorder: Disorder | undefined,
  incoming: IncomingMessage,
  response: ServerResponse,
  port: number,
): void {
  if (disorder === undefined) forward(incoming, response, port, false)
  else if (disorder === 'reset') incoming.socket.destroy()
  else if (disorder === 'stall') incoming.pause()
  else if (disorder === 'lose') forward(incoming, response, port, true)
  else if (disorder === 'cut') cut(incoming)
  else if ('until' in disorder) {
    incoming.pause()
    void disorder.until.then(() => forward(incoming, response, port, false))
  } else answer(disorder, incoming, response)
}

function cut(incoming: IncomingMessage): void {
  const half = Number(incoming.headers['content-length'] ?? 0) / 2
  let read = 0
  incoming.on('data', (chunk: Buffer) => {
    read += chunk.length
    if (read >= half) incoming.socket.destroy()
  })
}

function answer(
  { status, name = 'InternalError', headers = {} }: Extract<Disorder, { status: number }>,
  incoming: IncomingMessage,
  response: ServerResponse,
): void {
  incoming.resume()
  incoming.on('end', () => {
    const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${name}</Code><Message>by the test</Message></Error>`
    response.writeHead(status, { 'content-type': 'application/xml', ...headers })
    response.end(incoming.method === 'HEAD' ? undefined : body)
  })
}

/** With the headers as they came: the signature covers the host's name. */
function forward(incoming: IncomingMessage, response: ServerResponse, port: number, loses: boolean): void {
  const { method, url, headers } = incoming
  const upstream = ask({ host: '127.0.0.1', port, method, path: url, headers, agent: false }, (answered) => {
    if (loses) {
      answered.resume()
      answered.on('end', () => incoming.socket.destroy())
      return
    }
    response.writeHead(answered.statusCode ?? 500, answered.rawHeaders)
    answered.pipe(response)
  })
  upstream.on('error', () => incoming.socket.destroy())
  incoming.pipe(upstream)
}
