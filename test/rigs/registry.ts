/**
 * A real registry (Debian's `docker-registry`) on loopback, with a front that sees what is asked and can hold layers
 * back. Engines take registries on 127.0.0.0/8 without TLS.
 */
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { until } from './daemon.ts'
import { call, engine, image } from './docker.ts'

export const registryUser = { username: 'puller', password: 'let me: in' }
/** bcrypt of the password, as `htpasswd -B` writes it. */
const htpasswd = `${registryUser.username}:$2y$05$abcdefghijklmnopqrstuuAGEW9H0OsXmnVsaTPH20gWuwW8Ng2Wy\n`

export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly host: string
  /** `METHOD /path` of each request. */
  readonly seen: readonly string[]
  /** Makes an image of its own with busybox and pushes it; afterwards the engine does not have it. Gives its name. */
  publish(): Promise<string>
  /** Layers are not sent until the returned function is called. */
  hold(): () => void
}

export async function registry(options: { readonly withLogin?: boolean } = {}): Promise<Registry> {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-registry-'))
  const socketPath = join(folder, 'registry.sock')
  const auth = { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } }
  writeFileSync(join(folder, 'htpasswd'), htpasswd)
  const config = {
    version: 0.1,
    log: { accesslog: { disabled: true }, level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: { net: 'unix', addr: socketPath, relativeurls: true },
    ...(options.withLogin === true ? { auth } : {}),
  }
  writeFileSync(join(folder, 'config.yml'), stringify(config))
  const server = spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: 'ignore' })
  const front = await createFront(socketPath)
  const published: string[] = []
  await until('the registry', async () => (await call(socketPath, 'GET', '/v2/').catch(() => undefined)) !== undefined)
  return {
    host: front.host,
    seen: front.seen,
    hold: front.hold,
    async publish() {
      const name = `${front.host}/test/image-${published.length}:1`
      published.push(name)
      await push(name, options.withLogin === true ? { ...registryUser, serveraddress: front.host } : {})
      return name
    },
    async [Symbol.asyncDispose]() {
      const { socketPath: docker } = await engine()
      for (const name of published) await call(docker, 'DELETE', `/images/${name}?force=1`)
      await front[Symbol.asyncDispose]()
      const ended = new Promise((resolve) => server.once('exit', resolve))
      server.kill('SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function push(name: string, auth: object): Promise<void> {
  const { socketPath } = await engine()
  await image('containerssh-test/busybox:1')
  const [, repo = '', tag = ''] = /^(.*):([^:]*)$/.exec(name) ?? []
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-image-'))
  try {
    mkdirSync(join(folder, 'bin'))
    execFileSync('cp', ['/bin/busybox', join(folder, 'bin/sh')])
    writeFileSync(join(folder, 'random'), randomBytes(300_000)) // a layer that nobody has
    const tar = execFileSync('tar', ['-c', '-C', folder, '.'], { maxBuffer: 64 << 20 })
    await must(socketPath, 'POST', `/images/create?${new URLSearchParams({ fromSrc: '-', repo, tag })}`, tar)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  // The alphabet for URLs, but with padding.
  const encoded = Buffer.from(JSON.stringify(auth)).toString('base64').replace(/\+/g, '-').replace(/\//g, '_')
  const header = { 'X-Registry-Auth': encoded }
  await must(socketPath, 'POST', `/images/${repo}/push?tag=${tag}`, undefined, header)
  await must(socketPath, 'DELETE', `/images/${name}?force=1`)
}

async function must(socketPath: string, method: string, path: string, body?: Uint8Array, headers = {}): Promise<void> {
  const answer = await call(socketPath, method, path, body, headers)
  if (answer.status >= 300 || answer.body.includes('"error"')) throw new Error(`${method} ${path}: ${answer.body}`)
}

async function createFront(socketPath: string): Promise<AsyncDisposable & Pick<Registry, 'host' | 'seen' | 'hold'>> {
  const seen: string[] = []
  const open = new Set<Socket>()
  let held: Promise<void> | undefined
  const server = createServer(async (incoming, outgoing) => {
    seen.push(`${incoming.method} ${incoming.url}`)
    if (incoming.method === 'GET' && /\/blobs\//.test(incoming.url ?? '')) await held
    const { method, url, headers } = incoming
    const forward = request({ socketPath, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(outgoing)
    })
    forward.on('error', () => outgoing.destroy())
    incoming.pipe(forward)
  })
  server.on('connection', (socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>()
      held = promise
      return () => {
        held = undefined
        resolve()
      }
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
