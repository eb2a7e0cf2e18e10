/** The bare engine: what a container costs without us, over the Engine API itself, without the start of a client program. */
import { existsSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { call, engine, image, type TestEngine } from '../test/rigs/docker.ts'
import type { Bench } from './question.ts'
import type { Server } from './server.ts'
import { startSshdWith } from './sshd.ts'

const idle = ['/bin/sh', '-c', "trap 'exit 0' INT TERM; while :; do sleep 3600 & wait $!; done"]

/** The engine's own client program; undefined: there is none. */
export const dockerCli = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'docker'))
  .find(existsSync)

export interface BareContainer {
  readonly Id: string
  /** `created`, `running`, … */
  readonly State: string
}

export interface BareEngine {
  readonly host: string
  readonly image: string
  readonly socketPath: string
  /** With this label (`name` or `name=value`), running or not. */
  containers(label: string): Promise<readonly BareContainer[]>
  /** Creates and starts a container that waits; resolves to its id. */
  create(): Promise<string>
  /** Runs `true` in it to the end, as `docker exec` does. */
  exec(container: string): Promise<void>
  remove(container: string): Promise<void>
  /** Removes all containers of this run, also those that a daemon could not remove any more. */
  sweep(): Promise<void>
}

/** All containers of this run have it. */
const [runLabel, run] = ['containerssh-bench-run', String(process.pid)]

/** Throws an Error when no engine answers and none can be had. */
export async function bareEngine(): Promise<BareEngine> {
  const found = await engine()
  const name = await image('containerssh-test/busybox:1')
  const post = async (path: string, body?: object): Promise<{ Id: string }> => {
    const answer = await call(found.socketPath, 'POST', path, body)
    if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.status} ${answer.body}`)
    return answer.body.startsWith('{') ? JSON.parse(answer.body) : { Id: '' }
  }
  const list = async (label: string): Promise<BareContainer[]> => {
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }))
    const { body } = await call(found.socketPath, 'GET', `/containers/json?all=1&filters=${filters}`)
    return JSON.parse(body) as BareContainer[]
  }
  const remove = async (container: string): Promise<void> => {
    await call(found.socketPath, 'DELETE', `/containers/${container}?force=true&v=true`)
  }
  return {
    host: found.host,
    image: name,
    socketPath: found.socketPath,
    containers: list,
    async create() {
      const { Id } = await post('/containers/create', { Image: name, Cmd: idle, Labels: { [runLabel]: run } })
      await post(`/containers/${Id}/start`)
      return Id
    },
    async exec(container) {
      const options = { Cmd: ['/bin/sh', '-c', 'true'], AttachStdout: true, AttachStderr: true }
      const { Id } = await post(`/containers/${container}/exec`, options)
      await post(`/exec/${Id}/start`, { Detach: false, Tty: false })
      await exitOf(found, Id)
    },
    remove,
    sweep: async () => {
      const left = await list(`${runLabel}=${run}`)
      await Promise.all(left.map(({ Id }) => remove(Id)))
    },
  }
}

async function exitOf({ socketPath }: TestEngine, id: string): Promise<void> {
  const { body } = await call(socketPath, 'GET', `/exec/${id}/json`)
  const { ExitCode } = JSON.parse(body) as { ExitCode?: number }
  if (ExitCode !== 0) throw new Error(`true ended with ${ExitCode}`)
}

/** The configuration of our daemon for the same image and the same engine. */
export const dockerConfig = (bare: BareEngine, more: object = {}, labels: object = {}): object => ({
  docker: { ...more, connection: { host: bare.host }, execution: executionIn(bare.image, labels) },
})

/** How a program runs in a container of this image; all of it is as old as ContainerSSH 0.4. */
export const executionIn = (image: string, labels: object = {}) => ({
  mode: 'connection',
  container: { image, labels: { ...labels, [runLabel]: run } },
  imagePullPolicy: 'Never',
  shellCommand: ['/bin/sh'],
  idleCommand: idle,
})

/** sshd with the engine's client as the forced command. Undefined: there is no docker program, or we are not root. */
export async function dockerPeer(bench: Bench, bare: BareEngine, words: string): Promise<Server | undefined> {
  if (dockerCli === undefined || process.getuid?.() !== 0) return undefined
  const config = `ForceCommand exec ${dockerCli} -H ${bare.host} ${words}`
  return startSshdWith({ config, gid: statSync(bare.socketPath).gid }, bench.credentials, bench.signal)
}
