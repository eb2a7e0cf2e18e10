/** Our daemon and the gateways of others, with the very same configuration. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { bareEngine, executionIn } from '../engine.ts'
import { holdLoad, results, runLoad, targetFlags } from '../load.ts'
import { costOf, type Figures, interleave } from '../measure.ts'
import { daemon, unlimited } from '../ours.ts'
import { type Peer, type Sections, startPeer } from '../peer.ts'
import {
  type Answer,
  type Bench,
  otherShare,
  ours,
  part,
  type Question,
  type Row,
  type RowSpec,
  rowsOf,
} from '../question.ts'
import { note, type Sides } from '../samples.ts'
import type { Server } from '../server.ts'
import { measureLogins } from './login.ts'
import { memoryOf } from './memory.ts'
import { startWebhook } from './webhook.ts'

const logins = 400
const idleConnections = 200
const warmCommands = 10
const atOnce = 32
const terminals = { count: 8, keys: 50 }
const streamBytes = 2 ** 27

const mine: Peer = {
  name: ours,
  command: [process.execPath, daemon],
  // The others have no such limits, or have other names for them.
  config: { ssh: unlimited },
  about: 'this daemon',
}

interface Setting {
  readonly bench: Bench
  readonly gateways: readonly Peer[]
  readonly webhook: string
  /** The section `docker`, by its mode. */
  docker(mode: 'connection' | 'session'): object
}

/** All gateways, running. */
async function startAll(
  setting: Setting,
  mode: 'connection' | 'session',
  running: AsyncDisposableStack,
  more?: Sections,
) {
  const { bench, gateways, webhook, docker } = setting
  const servers: Server[] = []
  for (const peer of gateways)
    servers.push(running.use(await startPeer(peer, webhook, docker(mode), more)(bench.credentials, bench.signal)))
  return servers
}

const inTurn = (bench: Bench, what: string, rounds = 5) => ({
  ...bench,
  ...part(bench, 6),
  rounds: bench.quick ? 1 : rounds,
  warmUp: 1,
  progress: (text: string) => bench.progress(`${what}, ${text}`),
})

/** What needs no container. */
async function withoutContainers(setting: Setting): Promise<Row[]> {
  const { bench, gateways, webhook, docker } = setting
  await using running = new AsyncDisposableStack()
  const servers = await startAll(setting, 'session', running)
  const samples = await interleave(servers, inTurn(bench, 'logins'), (server) =>
    measureLogins(bench, server, { method: 'password', count: logins }),
  )
  const sides: Sides = new Map()
  for (const peer of gateways) {
    bench.progress(`${idleConnections} connections, ${peer.name}`)
    const start = startPeer(peer, webhook, docker('session'))
    note(sides, peer.name, 'kb', await memoryOf(bench, start, { count: idleConnections }, { method: 'password' }))
  }
  return [
    ...rowsOf(samples, [
      { figure: 'cpuMs', label: 'server CPU, login by webhook', unit: 'ms', target: 1 / 3 },
      { figure: 'p50', label: 'time p50, login by webhook', unit: 'ms' },
    ]),
    ...rowsOf(sides, [{ figure: 'kb', label: `memory, ${idleConnections} idle connections`, unit: 'kB', target: 0.7 }]),
  ]
}

async function commands(bench: Bench, server: Server): Promise<Figures> {
  const flags = [...targetFlags(server, 'password'), '-command', server.commands.true]
  const run = (count: number, ...more: string[]) =>
    runLoad(bench.load, 'exec', [...flags, '-count', `${count}`, ...more], bench.signal)
  const warm = await run(warmCommands)
  const count = bench.quick ? atOnce / 8 : atOnce
  const cold = await run(count, '-reconnect', '-parallel', `${count}`)
  return { warm: warm.latencyUs.p50 / 1000, cold50: cold.latencyUs.p50 / 1000, cold99: cold.latencyUs.p99 / 1000 }
}

async function typing(bench: Bench, server: Server): Promise<Figures> {
  const amounts = ['-active', `${terminals.count}`, '-keys', `${terminals.keys}`, '-rate', '25', '-hold']
  const flags = [...targetFlags(server, 'password'), '-command', server.commands.echo, ...amounts]
  await using held = await holdLoad(bench.load, 'echo', flags, bench.signal)
  const { p50, p99 } = results.echo.parse(await held.again()).latencyUs
  return { p50, p99 }
}

async function streaming(bench: Bench, server: Server, direction: 'down' | 'up') {
  const bytes = bench.quick ? streamBytes / 8 : streamBytes
  const command = direction === 'down' ? server.commands.source : server.commands.sink
  const flags = [...targetFlags(server, 'password'), '-cipher', 'aes128-gcm@openssh.com', '-first', 'true']
  const stream = [...flags, '-bytes', `${bytes}`, '-command', command]
  return await costOf(server, bench.signal, () => runLoad(bench.load, direction, stream, bench.signal))
}

async function bothWays(bench: Bench, server: Server, audited: Server): Promise<Figures> {
  const [down, up, recorded] = [
    await streaming(bench, server, 'down'),
    await streaming(bench, server, 'up'),
    await streaming(bench, audited, 'down'),
  ]
  const perGB = ({ serverCpuMs, result }: typeof down): number => serverCpuMs / 1000 / (result.bytes / 1e9)
  return {
    down: perGB(down),
    up: perGB(up),
    kept: recorded.result.mbPerSecond / down.result.mbPerSecond,
    // The engine's work is not noise, and cannot be told from it.
    [otherShare]: 0,
  }
}

const specs: readonly RowSpec[] = [
  { figure: 'warm', label: 'p50 of true, container runs', unit: 'ms', target: 1 / 3 },
  { figure: 'cold50', label: `p50 of ${atOnce} logins at once, new containers`, unit: 'ms' },
  { figure: 'cold99', label: `p99 of ${atOnce} logins at once, new containers`, unit: 'ms', target: 0.7 },
  { figure: 'p50', label: `keystroke p50, ${terminals.count} containers`, unit: 'µs' },
  { figure: 'p99', label: `keystroke p99, ${terminals.count} containers`, unit: 'µs', target: 1 },
  { figure: 'down', label: 'server CPU out of a container, aes128-gcm', unit: 's/GB', target: 0.6 },
  { figure: 'up', label: 'server CPU into a container, aes128-gcm', unit: 's/GB', target: 0.6 },
  { figure: 'kept', label: 'throughput kept with audit of everything', unit: '', better: 'higher', target: 1.5 },
]

async function withContainers(setting: Setting): Promise<Row[]> {
  const { bench } = setting
  await using running = new AsyncDisposableStack()
  const servers = await startAll(setting, 'connection', running)
  const directory = join(bench.credentials.directory, 'peers-audit')
  mkdirSync(directory, { recursive: true })
  running.defer(() => rmSync(directory, { recursive: true, force: true }))
  const intercept = { stdin: true, stdout: true, stderr: true, passwords: true }
  const audit = { enable: true, format: 'binary', storage: 'file', file: { directory }, intercept }
  const recording = await startAll(setting, 'connection', running, { audit })
  const rows: Row[] = []
  const add = async (what: string, rounds: number, measure: (server: Server) => Promise<Figures>) => {
    const samples = await interleave(servers, inTurn(bench, what, rounds), measure)
    const names = new Set([...samples.values()].flatMap((figures) => [...figures.keys()]))
    rows.push(
      ...rowsOf(
        samples,
        specs.filter(({ figure }) => names.has(figure)),
      ),
    )
  }
  await add('commands', 3, (server) => commands(bench, server))
  await add('keystrokes', 3, (server) => typing(bench, server))
  await add('bytes', 3, (server) => {
    const audited = recording.find(({ name }) => name === server.name)
    if (audited === undefined) throw new Error(`${server.name} does not record`)
    return bothWays(bench, server, audited)
  })
  return rows
}

async function ask(bench: Bench): Promise<Answer> {
  const engine = await bareEngine().catch((error: Error) => error)
  // What needs no container is measured without an engine, too.
  const [image, connection] = engine instanceof Error ? ['busybox', {}] : [engine.image, { host: engine.host }]
  const execution = executionIn(image)
  await using webhook = await startWebhook({ success: true })
  const setting: Setting = {
    bench,
    gateways: [mine, ...bench.peers],
    webhook: webhook.url,
    docker: (mode) => ({ connection, execution: { ...execution, mode, disableAgent: true } }),
  }
  const rows = await withoutContainers(setting)
  if (engine instanceof Error) return { rows, notes: [`Nothing with containers: ${engine.message}`] }
  return { rows: [...rows, ...(await withContainers(setting))], notes: [] }
}

export const peers: Question = {
  name: 'peers',
  title: 'Beside other gateways',
  seconds: 90,
  needs: 'PEER_NAME=path in the environment, and a Docker engine for most of it',
  needsPeer: true,
  about:
    'Our daemon and every program that a variable PEER_NAME of the environment names, started with one and the same configuration: ' +
    'passwords by a webhook, containers in Docker. Echo and bytes go through containers of a busybox image; the CPU time is that ' +
    'of the gateway, without the engine.',
  async run(bench) {
    if (bench.peers.length > 0) return await ask(bench)
    return { rows: [], notes: ['Not measured: no PEER_NAME=path in the environment names another gateway.'] }
  },
}
