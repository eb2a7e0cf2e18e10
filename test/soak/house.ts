/** The daemons under soak: one with a room without containers, for the rate, and one with Docker, for the containers. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { stringify } from 'yaml'
import { makeCredentials } from '../../bench/credentials.ts'
import { freePort, startService } from '../../bench/process.ts'
import { hashPassword } from '../../src/shared/password.ts'
import { children, until } from '../rigs/daemon.ts'
import { configFor, containersOf, uniqueUser } from '../rigs/login.ts'
import { makeRawKey, type RawKey } from '../rigs/raw/login.ts'
import type { Live } from './measured.ts'

export interface House extends AsyncDisposable {
  readonly name: 'bench' | 'docker'
  readonly port: number
  readonly user: string
  readonly key: RawKey
  readonly password: string
  /** Of the primary and of its workers, in the order of their birth. */
  sizes(): Promise<Size[]>
  workers(): number[]
  containers(): Promise<number>
  /** Lines of the log, which has only those of level error and worse. */
  troubles(): string[]
}

const daemon = resolve(import.meta.dirname, 'daemon.ts')
const many = 100_000
const ssh = {
  // Half-open connections are to end by themselves within a sample.
  loginGrace: '5s',
  ...{ maxConnections: many, maxConnectionsPerSource: many, maxStartups: many, maxStartupsPerSource: many },
  ...{ maxStartupsStart: many, penalties: { enable: false } },
}

/** Where it differs from a daemon with one worker and the machine's engine. */
export interface HouseOptions {
  readonly workers?: number
  /** Of the section `docker`; `host` is the engine's. */
  readonly docker?: Readonly<Record<string, unknown>>
  readonly host?: string
  /** HostConfig. */
  readonly hostConfig?: object
}

export async function startHouse(name: House['name'], signal: AbortSignal, options: HouseOptions = {}): Promise<House> {
  const credentials = await makeCredentials()
  const key = makeRawKey()
  const [port, user] = [await freePort(), uniqueUser()]
  const base =
    name === 'docker'
      ? withOptions(await configFor(user, { file: '', line: key.line, [Symbol.dispose]() {} }), options)
      : { backend: 'bench' }
  const passwordHash = await hashPassword(Buffer.from(credentials.password))
  const config = {
    ...base,
    ssh: { ...ssh, listen: `127.0.0.1:${port}`, hostkeys: [credentials.hostKey] },
    auth: { users: [{ name: user, passwordHash, authorizedKeys: [key.line] }] },
    log: { level: 'error' },
    workers: options.workers ?? 1,
  }
  const configFile = join(credentials.directory, `${name}.yaml`)
  const logFile = join(credentials.directory, `${name}.log`)
  writeFileSync(configFile, stringify(config), { mode: 0o600 })
  const args = [daemon, '--config', configFile]
  const service = await startService({
    ...{ command: process.execPath, args, port, logFile, signal },
    env: { SOAK_FOLDER: credentials.directory },
  })
  return {
    ...{ name, port, user, key, password: credentials.password },
    workers: () => children(service.pid),
    sizes: () => Promise.all([service.pid, ...children(service.pid)].map((pid) => sizeOf(pid, credentials.directory))),
    containers: async () => (name === 'docker' ? (await containersOf(user)).length : 0),
    troubles: () =>
      readFileSync(logFile, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]()
      credentials[Symbol.dispose]()
    },
  }
}

function withOptions(config: Record<string, unknown>, { docker, host, hostConfig }: HouseOptions) {
  const { connection, execution } = config['docker'] as { connection: object; execution: object }
  const own = {
    connection: host === undefined ? connection : { host },
    execution: hostConfig === undefined ? execution : { ...execution, host: hostConfig },
  }
  return { ...config, docker: { ...own, ...docker } }
}

export interface Size {
  readonly pid: number
  /** Resident, without file pages: what is the process's own. */
  readonly residentKib: number
  /** Without garbage. */
  readonly liveKib: number
  readonly descriptors: number
  readonly handles: number
}

async function sizeOf(pid: number, folder: string): Promise<Size> {
  const file = join(folder, `live-${pid}`)
  rmSync(file, { force: true })
  process.kill(pid, 'SIGWINCH')
  const live = await until<Live>(`the size of ${pid}`, () => {
    try {
      return JSON.parse(readFileSync(file, 'utf8'))
    } catch {
      return undefined // not there, or not all of it
    }
  })
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return {
    pid,
    residentKib: Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1]),
    liveKib: live.bytes / 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    handles: live.handles,
  }
}
