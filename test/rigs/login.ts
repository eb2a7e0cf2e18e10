/**
 * A daemon with the Docker backend, one user with a key, and the OpenSSH client: what most end-to-end tests begin with.
 * The user name is unique, so that a test sees its own containers only.
 */
import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { type Daemon, startDaemon, until } from './daemon.ts'
import { engine, image } from './docker.ts'
import { type Client, client, type Key, makeKey } from './ssh.ts'

export interface Login extends AsyncDisposable {
  readonly daemon: Daemon
  readonly client: Client
  readonly key: Key
  readonly user: string
  /** Ids of this user's containers, running or not. */
  containers(): Promise<string[]>
  /** Waits until the user has no container left. */
  noContainers(timeoutMs?: number): Promise<void>
}

export interface LoginOptions {
  readonly mode?: 'connection' | 'session'
  readonly user?: string
  readonly key?: Key
  readonly config?: Readonly<Record<string, unknown>>
  readonly ssh?: Readonly<Record<string, unknown>>
}

/** The configuration of a daemon that serves one user from an agentless busybox image. */
export async function configFor(user: string, key: Key, options: LoginOptions = {}): Promise<Record<string, unknown>> {
  const { host } = await engine()
  return {
    // All clients come from one address, and many fail on purpose.
    ssh: { listen: '127.0.0.1:0', penalties: { enable: false }, ...options.ssh },
    auth: { users: [{ name: user, authorizedKeys: [key.line] }] },
    backend: 'docker',
    docker: {
      connection: { host },
      execution: {
        mode: options.mode ?? 'connection',
        container: { image: await image('containerssh-test/busybox:1') },
        agentMode: 'shell',
        imagePullPolicy: 'Never',
        shellCommand: ['/bin/sh'],
        idleCommand: ['/bin/sh', '-c', "trap 'exit 0' INT TERM; while :; do sleep 3600 & wait $!; done"],
      },
    },
    ...options.config,
  }
}

export const uniqueUser = (): string => `u${randomBytes(6).toString('hex')}`

export async function login(options: LoginOptions = {}): Promise<Login> {
  const user = options.user ?? uniqueUser()
  const key = options.key ?? makeKey()
  const daemon = await startDaemon(await configFor(user, key, options))
  return {
    daemon,
    key,
    user,
    client: client(daemon.port, key, user),
    containers: () => containersOf(user),
    noContainers: (timeoutMs = 10_000) => noContainersOf(user, timeoutMs),
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]()
      if (options.key === undefined) key[Symbol.dispose]()
    },
  }
}

export async function noContainersOf(user: string, timeoutMs = 10_000): Promise<void> {
  await until(`no container of ${user}`, async () => (await containersOf(user)).length === 0, timeoutMs)
}

/** GET /containers/json of the Engine API, filtered by our user label. */
export async function containersOf(user: string): Promise<string[]> {
  const filters = JSON.stringify({ label: [`containerssh_username=${user}`] })
  const body = await engineGet(`/containers/json?all=1&filters=${encodeURIComponent(filters)}`)
  return (body as { Id: string }[]).map((container) => container.Id)
}

export async function engineGet(path: string): Promise<unknown> {
  const { socketPath } = await engine()
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, timeout: 30_000 }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text))
        else reject(new Error(`GET ${path}: ${response.statusCode} ${text}`))
      })
    })
    call.on('error', reject).on('timeout', () => call.destroy(new Error(`GET ${path}: no answer within 30 s`)))
    call.end()
  })
}
