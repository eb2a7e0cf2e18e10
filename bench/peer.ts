/** Gateways of others: any program that takes a configuration of ContainerSSH. `bench/README.md` says what it must accept. */
import { accessSync, constants, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { stringify } from 'yaml'
import { freePort, startService } from './process.ts'
import { type Credentials, loginFlags, type Server, shellCommands } from './server.ts'

export interface Peer {
  /** Column heading. */
  readonly name: string
  /** Its command line; `--config FILE` is added. */
  readonly command: readonly [program: string, ...args: string[]]
  /** More of its configuration, by section: what a peer need not understand. */
  readonly config?: Readonly<Record<string, object>>
  /** One line for the report. */
  readonly about: string
}

const prefix = 'PEER_'

/** `PEER_NAME=path` of the environment, in the order of the names. Throws an Error that names what cannot be run. */
export function peersOf(env: NodeJS.ProcessEnv): Peer[] {
  const given = Object.entries(env).filter(([key]) => key.startsWith(prefix) && key.length > prefix.length)
  return given
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value = '']) => {
      const program = resolve(value)
      try {
        if (value === '') throw new Error('it is empty')
        accessSync(program, constants.X_OK)
      } catch (cause) {
        throw new Error(`${key}=${value}: expected the path of a program that can be run`, { cause })
      }
      const name = key.slice(prefix.length).toLowerCase().replaceAll('_', ' ')
      return { name, command: [program], about: `the program that ${key} names, ${program}` }
    })
}

/** What a question wants to be set, by section. */
export type Sections = Readonly<Record<string, object>>

/** Passwords are decided by this webhook. The result is a file that ContainerSSH 0.5 and later understands. */
const configOf = (port: number, { hostKey }: Credentials, webhook: string, sections: Sections): Sections => ({
  ssh: { listen: `127.0.0.1:${port}`, hostkeys: [hostKey] },
  log: { level: 'error' },
  auth: { password: { method: 'webhook', webhook: { url: webhook, timeout: '30s' } } },
  ...sections,
})

/** Section by section. */
function merged(one: Sections, other: Sections): Sections {
  const names = new Set([...Object.keys(one), ...Object.keys(other)])
  return Object.fromEntries([...names].map((name) => [name, { ...one[name], ...other[name] }]))
}

/** Starts it with a room in Docker. `webhook`: URL of the authentication server. */
export const startPeer =
  (peer: Peer, webhook: string, docker: object, sections: Sections = {}) =>
  async (credentials: Credentials, signal: AbortSignal): Promise<Server> => {
    const port = await freePort()
    const configFile = join(credentials.directory, `peer_${port}.yaml`)
    const config = merged(configOf(port, credentials, webhook, { docker, ...sections }), peer.config ?? {})
    writeFileSync(configFile, stringify({ ...config, backend: 'docker' }), { mode: 0o600 })
    const [command, ...args] = peer.command
    const service = await startService({
      command,
      args: [...args, '--config', configFile],
      port,
      logFile: join(credentials.directory, `peer_${port}.log`),
      signal,
    })
    return {
      ...service,
      name: peer.name,
      address: `127.0.0.1:${port}`,
      login: loginFlags(credentials),
      commands: shellCommands,
      about: peer.about,
    }
  }
