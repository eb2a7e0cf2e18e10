/** Our daemon with the null room, configured like the sshd it is compared with: nothing is limited. */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { stringify } from 'yaml'
import { hashPassword } from '../src/shared/password.ts'
import { freePort, startService } from './process.ts'
import { type Credentials, loginFlags, type Server } from './server.ts'

export const daemon = resolve(import.meta.dirname, 'daemon.ts')

export interface OursOptions {
  /** Name of the room. */
  readonly backend: string
  /** More configuration, e.g. of the room. */
  readonly config?: object
  /** More of the section `ssh`. */
  readonly ssh?: object
  /** More of the environment of all its processes. */
  readonly env?: NodeJS.ProcessEnv
  /** More arguments for node, e.g. of the profiler. */
  readonly nodeArgs?: readonly string[]
}

/** As the service has it. It halves the time of a start, of which a whole run has dozens. */
const compileCache = resolve(import.meta.dirname, '../.cache/bench/compile')
const many = 100_000
/** The part of the section `ssh` by which nobody is turned away. */
export const unlimited = {
  maxConnections: many,
  maxConnectionsPerSource: many,
  maxStartups: many,
  maxStartupsPerSource: many,
  maxStartupsStart: many,
  penalties: { enable: false },
}

function configOf(port: number, credentials: Credentials, passwordHash: string, options: OursOptions): object {
  return {
    ssh: {
      listen: `127.0.0.1:${port}`,
      hostkeys: [credentials.hostKey],
      ...unlimited,
      ...options.ssh,
    },
    auth: { users: [{ name: credentials.user, passwordHash, authorizedKeys: [credentials.publicKey] }] },
    log: { level: 'error' },
    backend: options.backend,
    ...options.config,
  }
}

/** Starts the daemon; `options` are for questions about other rooms. */
export const startWith =
  (options: OursOptions) =>
  async (credentials: Credentials, signal: AbortSignal): Promise<Server> => {
    const port = await freePort()
    const configFile = join(credentials.directory, `config_${port}.yaml`)
    const passwordHash = await hashPassword(Buffer.from(credentials.password))
    writeFileSync(configFile, stringify(configOf(port, credentials, passwordHash, options)), { mode: 0o600 })
    const service = await startService({
      command: process.execPath,
      args: [...(options.nodeArgs ?? []), daemon, '--config', configFile],
      port,
      logFile: join(credentials.directory, 'ours.log'),
      signal,
      env: { NODE_COMPILE_CACHE: compileCache, BENCH_FOLDER: credentials.directory, ...options.env },
    })
    return {
      ...service,
      name: 'ours',
      address: `127.0.0.1:${port}`,
      login: loginFlags(credentials),
      commands: { source: 'source {bytes}', sink: 'sink', echo: 'echo', true: 'true' },
      about: `this daemon on Node ${process.version}, one worker per core, with a room without containers`,
    }
  }

export const startOurs = startWith({ backend: 'bench' })
