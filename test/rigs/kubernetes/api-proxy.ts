/**
 * Stands in front of the API server, in plain HTTP, and does what a real one cannot be made to do: refuse, answer late,
 * lose an answer, break a stream. Everything without a rule goes through untouched, in the name of the cluster's owner.
 */
import { readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect } from 'node:tls'
import type { Cluster } from './cluster.ts'
import { connectionTo } from './connection.ts'

export interface Rule {
  /** Of `METHOD /path?query`. */
  readonly match: RegExp
  /** How many requests it applies to; default: all. */
  times?: number
  /** Answers so, without asking the server. */
  readonly answer?: {
    readonly status: number
    readonly message?: string
    readonly headers?: Readonly<Record<string, string>>
  }
  /** Closes the connection without an answer: before the server is asked, or after it has answered. */
  readonly cut?: 'before' | 'after'
  /** WebSockets: all that the server hears of the protocols that the client offers. */
  readonly protocol?: string
  /** WebSockets: told when it is open; `reset` breaks it. */
  readonly opened?: (stream: { reset(): void }) => void
}

export interface ApiProxy extends AsyncDisposable {
  /** For `connection.host`. */
  readonly url: string
  /** `METHOD /path?query` of each request. */
  readonly seen: readonly string[]
  count(match: RegExp): number
  rules: Rule[]
}

export async function startApiProxy(cluster: Cluster, rules: Rule[] = []): Promise<ApiProxy> {
  const { host, cacertFile, certFile, keyFile } = connectionTo(cluster)
  const server = new URL(host)
  const tls = { ca: readFileSync(cacertFile), cert: readFileSync(certFile), key: readFileSync(keyFile) }
  const upstream = { host: server.hostname, port: Number(server.port || 443), ...tls }
  const seen: string[] = []
  const open = new Set<Duplex>()
  const keep = (socket: Duplex): void => {
    open.add(socket)
    socket.on('error', () => undefined).on('close', () => open.delete(socket))
  }
  const ruleFor = ({ method = '', url = '' }: IncomingMessage): Rule | undefined => {
    const line = `${method} ${url}`
    seen.push(line)
    const rule = proxy.rules.find(({ match, times }) => match.test(line) && times !== 0)
    if (rule?.times !== undefined) rule.times -= 1
    return rule
  }
  const headersOf = ({ authorization: _ours, ...rest }: IncomingHttpHeaders): IncomingHttpHeaders => rest

  const listener = createServer((incoming, outgoing) => {
    const rule = ruleFor(incoming)
    if (rule?.cut === 'before') return void incoming.socket.destroy()
    if (rule?.answer !== undefined) return refuse(rule.answer, incoming, outgoing)
    const { method, url, headers } = incoming
    const forward = request({ ...upstream, method, path: url, headers: headersOf(headers) }, (answer) => {
      if (rule?.cut === 'after') return void answer.resume().on('end', () => incoming.socket.destroy())
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      outgoing.flushHeaders()
      answer.on('error', () => outgoing.destroy()).pipe(outgoing)
    })
    forward.on('error', () => incoming.socket.destroy())
    outgoing.on('close', () => forward.destroy())
    incoming.pipe(forward)
  })
  listener.on('upgrade', (incoming, near: Socket, head: Buffer) => {
    const rule = ruleFor(incoming)
    if (rule?.cut === 'before') return void near.destroy()
    if (rule?.answer !== undefined) {
      const text = bodyOf(rule.answer)
      near.end(`HTTP/1.1 ${rule.answer.status} Refused\r\nContent-Length: ${text.length}\r\n\r\n${text}`)
      return
    }
    const far = connect(upstream)
    keep(far)
    const offered = rule?.protocol === undefined ? {} : { 'sec-websocket-protocol': rule.protocol }
    const lines = Object.entries({ ...headersOf(incoming.headers), ...offered }).map(
      ([name, value]) => `${name}: ${value}`,
    )
    far.write(`GET ${incoming.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    far.write(head)
    far.on('close', () => near.destroy()).pipe(near)
    near.on('close', () => far.destroy()).pipe(far)
    rule?.opened?.({ reset: () => void near.destroy() })
  })
  listener.on('connection', keep)
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as AddressInfo // it listens on a port
  const proxy: ApiProxy = {
    url: `http://127.0.0.1:${port}`,
    seen,
    rules,
    count: (match) => seen.filter((line) => match.test(line)).length,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
  return proxy
}

/** A Status object, as the API server refuses. */
const bodyOf = ({ status: code, message = 'by the test' }: NonNullable<Rule['answer']>): string =>
  JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code })

function refuse(answer: NonNullable<Rule['answer']>, incoming: IncomingMessage, outgoing: ServerResponse): void {
  incoming.resume().on('end', () => {
    outgoing.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
    outgoing.end(bodyOf(answer))
  })
}
