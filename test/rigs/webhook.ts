/** A real HTTP or HTTPS server that answers as a test says, and remembers what it was asked. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface Asked {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
export type Handler = (asked: Asked, response: ServerResponse, request: IncomingMessage) => void

export interface TestWebhook extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly asked: readonly Asked[]
  /** TCP connections so far. */
  connections(): number
  handler: Handler
}

/** Answers everything with this document. */
export const always =
  (document: unknown, status = 200): Handler =>
  (_asked, response) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(typeof document === 'string' ? document : `${JSON.stringify(document)}\n`)
  }

/** `tls`: as for node:https. */
export async function startWebhook(handler: Handler, tls?: ServerOptions, port = 0): Promise<TestWebhook> {
  const asked: Asked[] = []
  let connections = 0
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const one = { method, url, headers, body: Buffer.concat(chunks).toString() }
      asked.push(one)
      webhook.handler(one, response, request)
    })
  }
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen({ port, host: '127.0.0.1', backlog: 4096 }, resolve))
  const bound = (server.address() as AddressInfo).port
  const webhook: TestWebhook = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${bound}`,
    port: bound,
    asked,
    connections: () => connections,
    handler,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return webhook
}
