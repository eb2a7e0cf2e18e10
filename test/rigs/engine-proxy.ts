/**
 * Stands in front of the engine's socket and does what a real engine cannot be made to do: refuse, answer late or not at
 * all, lie in an answer, damage or cut a stream. Everything without a rule goes through untouched.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { engine } from './docker.ts'

export interface Rule {
  /** Of `METHOD /path`, without the version and with the query. */
  readonly match: RegExp
  /** How many requests it applies to; default: all. */
  times?: number
  /** Answers so, without asking the engine. */
  readonly answer?: { readonly status: number; readonly message: string }
  readonly delayMs?: number
  /** Closes the connection without an answer: before the engine is asked, or after it has answered. */
  readonly cut?: 'before' | 'after'
  /** Another body for the engine. */
  readonly ask?: (body: string) => string
  /** Another body for the client. */
  readonly rewrite?: (body: string) => string
  /** Raw streams: changes what the engine sends. */
  readonly garble?: (chunk: Buffer) => Buffer
  /** Raw streams: told when it is open; `reset` breaks it. */
  readonly opened?: (stream: { reset(): void }) => void
}

export interface EngineProxy extends AsyncDisposable {
  readonly host: string
  readonly seen: readonly string[]
  /** Of the API, in which it was asked. */
  readonly versions: ReadonlySet<string>
  /** Of requests to create something. */
  readonly bodies: readonly { readonly line: string; readonly body: string }[]
  rules: Rule[]
}

export async function engineProxy(rules: Rule[] = []): Promise<EngineProxy> {
  const { socketPath } = await engine()
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-proxy-'))
  const path = join(folder, 'docker.sock')
  const seen: string[] = []
  const versions = new Set<string>()
  const bodies: { line: string; body: string }[] = []
  const open = new Set<Duplex>()
  const proxy = { rules, seen, versions, bodies, host: `unix://${path}` }
  const keep = <S extends Duplex>(socket: S): S => {
    open.add(socket)
    socket.on('error', () => undefined).on('close', () => open.delete(socket))
    return socket
  }
  const ruleFor = (method = '', url = ''): Rule | undefined => {
    const version = /^\/v([\d.]+)\//.exec(url)?.[1]
    if (version !== undefined) versions.add(version)
    const line = `${method} ${url.replace(/^\/v[\d.]+/, '')}`
    seen.push(line)
    const rule = proxy.rules.find(({ match, times }) => match.test(line) && times !== 0)
    if (rule?.times !== undefined) rule.times -= 1
    return rule
  }
  const server = createServer(async (incoming, outgoing) => {
    const { method, url, headers } = incoming
    const rule = ruleFor(method, url)
    const line = seen.at(-1) ?? ''
    const body: Buffer[] = []
    for await (const chunk of incoming) body.push(chunk as Buffer)
    if (/^POST .*\/create/.test(line)) bodies.push({ line, body: Buffer.concat(body).toString() })
    if (rule?.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, rule.delayMs))
    if (rule?.cut === 'before') return void incoming.socket.destroy()
    if (rule?.answer !== undefined) {
      outgoing.writeHead(rule.answer.status, { 'Content-Type': 'application/json' })
      return void outgoing.end(JSON.stringify({ message: rule.answer.message }))
    }
    const asked = rule?.ask === undefined ? Buffer.concat(body) : Buffer.from(rule.ask(Buffer.concat(body).toString()))
    const length = rule?.ask === undefined ? {} : { 'content-length': asked.length }
    const forward = request({ socketPath, method, path: url, headers: { ...headers, ...length } }, async (answer) => {
      const status = answer.statusCode ?? 500
      if (rule?.cut === undefined && rule?.rewrite === undefined) {
        outgoing.writeHead(status, answer.headers)
        outgoing.flushHeaders()
        return void answer.on('error', () => outgoing.destroy()).pipe(outgoing)
      }
      const chunks: Buffer[] = []
      for await (const chunk of answer) chunks.push(chunk as Buffer)
      if (rule.cut === 'after') return void incoming.socket.destroy()
      const text = Buffer.concat(chunks).toString()
      const { 'content-length': _length, 'transfer-encoding': _encoding, ...rest } = answer.headers
      outgoing.writeHead(status, rest)
      outgoing.end(rule.rewrite?.(text) ?? text)
    })
    forward.on('error', () => incoming.socket.destroy())
    outgoing.on('close', () => forward.destroy())
    forward.end(asked)
  })
  server.on('upgrade', (incoming, near: Socket, head: Buffer) => {
    keep(near)
    const rule = ruleFor(incoming.method, incoming.url)
    if (rule?.answer !== undefined) {
      const text = JSON.stringify({ message: rule.answer.message })
      near.end(`HTTP/1.1 ${rule.answer.status} Refused\r\nContent-Length: ${text.length}\r\n\r\n${text}`)
      return
    }
    const far = keep(connect({ path: socketPath, allowHalfOpen: true }))
    const lines = Object.entries(incoming.headers).map(([name, value]) => `${name}: ${value}`)
    far.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    far.write(head)
    near.pipe(far)
    far.on('data', (chunk: Buffer) => {
      const changed = rule?.garble?.(chunk) ?? chunk
      if (!near.write(changed)) {
        far.pause()
        near.once('drain', () => far.resume())
      }
    })
    far.on('end', () => near.end())
    rule?.opened?.({
      reset() {
        near.destroy()
        far.destroy()
      },
    })
  })
  server.on('connection', keep)
  // Half-close has to go through.
  Object.assign(server, { allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return Object.assign(proxy, {
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  })
}
