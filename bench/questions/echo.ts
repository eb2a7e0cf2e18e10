import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Held, holdLoad, results, runLoad, targetFlags } from '../load.ts'
import { type Figures, interleave, watch } from '../measure.ts'
import { startWith } from '../ours.ts'
import {
  type Bench,
  otherShare,
  part,
  type Question,
  type Row,
  type RowSpec,
  rowsOf,
  withServers,
} from '../question.ts'
import type { Server } from '../server.ts'

interface Scene {
  readonly label: string
  readonly active: number
  readonly idle: number
  /** Keystrokes per second and session. */
  readonly rate: number
  /** Of one round. */
  readonly seconds: number
  /** And once more while another session streams. */
  readonly beside?: boolean
  readonly target?: number
}
const scenes: readonly Scene[] = [
  { label: '1 session', active: 1, idle: 0, rate: 100, seconds: 1 },
  { label: '1 session, 100 idle ones', active: 1, idle: 100, rate: 100, seconds: 1 },
  { label: '100 sessions', active: 100, idle: 0, rate: 100, seconds: 0.5 },
  { label: '1,000 sessions', active: 1000, idle: 0, rate: 10, seconds: 0.5, beside: true, target: 0.5 },
]
const passesOf = ({ beside = false }: Scene): number => (beside ? 2 : 1)
/** More than a round takes: the stream is cut when the keys are typed. */
const streamBytes = 2 ** 36
const audited = 'ours with audit'

interface Terminals {
  readonly name: string
  readonly server: Server
  readonly held: Held
}

async function type(bench: Bench, { server, held }: Terminals, beside: boolean, keys: number): Promise<Figures> {
  await using _stream = beside ? stream(bench, server) : undefined
  const watched = await watch(server, bench.signal, async () => results.echo.parse(await held.again(`${keys}`)))
  const { p50, p99 } = watched.result.latencyUs
  // The stream's own generator is no noise.
  return { p50, p99, [otherShare]: beside ? 0 : watched.otherShare }
}

/** Bytes flow from the server until it is disposed. */
function stream(bench: Bench, server: Server): AsyncDisposable {
  const stop = new AbortController()
  const flags = [...targetFlags(server), '-bytes', `${streamBytes}`, '-command', server.commands.source]
  const ended = runLoad(bench.load, 'down', flags, AbortSignal.any([bench.signal, stop.signal]))
  // It ends by being stopped. If it failed before, the keys were typed beside nothing, and that must be told.
  const failed = ended.then(
    () => new Error('the stream ended before the keys were typed'),
    (error: Error) => (stop.signal.aborted ? undefined : error),
  )
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      const error = await failed
      if (error !== undefined) throw error
    },
  }
}

/** `left`: passes of this scene and of those after it. */
async function rowsFor(bench: Bench, servers: readonly Server[], scene: Scene, left: number): Promise<Row[]> {
  await using running = new AsyncDisposableStack()
  const amounts = ['-active', scene.active, '-idle', scene.idle, '-rate', scene.rate].map(String)
  bench.progress(`${scene.label}, logins`)
  const logins = await Promise.allSettled(
    servers.map(async (server): Promise<Terminals> => {
      const flags = [...targetFlags(server), '-command', server.commands.echo, ...amounts, '-hold']
      return {
        name: server.name,
        server,
        held: running.use(await holdLoad(bench.load, 'echo', flags, bench.signal)),
      }
    }),
  )
  const sides = logins.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
  const rows = await pass(bench, sides, scene, false, left)
  if (scene.beside === true) rows.push(...(await pass(bench, sides, scene, true, left - 1)))
  return rows
}

async function pass(
  bench: Bench,
  sides: readonly Terminals[],
  scene: Scene,
  beside: boolean,
  left: number,
): Promise<Row[]> {
  const label = beside ? `${scene.label}, one more streams` : scene.label
  const progress = (text: string): void => bench.progress(`${label}, ${text}`)
  const rounds = { ...bench, ...part(bench, left), rounds: bench.quick ? 1 : 5, warmUp: 1, progress }
  const samples = await interleave(sides, rounds, (side, isWarmUp) =>
    type(bench, side, beside, Math.ceil(scene.rate * scene.seconds * (isWarmUp ? 1 / 4 : 1))),
  )
  const p99: RowSpec = { figure: 'p99', label: `p99, ${label}`, unit: 'µs' }
  return rowsOf(samples, [
    { figure: 'p50', label: `p50, ${label}`, unit: 'µs' },
    scene.target === undefined ? p99 : { ...p99, target: scene.target },
  ])
}

export const echo: Question = {
  name: 'echo',
  title: 'Keystroke echo',
  seconds: 62,
  about:
    'One byte that must come back, each session at its own phase: 100 keystrokes per second in one session and in each of 100, 10 in ' +
    'each of 1,000. On sshd `cat` echoes, on ours the room itself; no terminal on either side. Also on our daemon with an ' +
    'audit log of everything, and while one more session streams zeros as fast as it can.',
  run: (bench) =>
    withServers(bench, async (servers) => {
      await using running = new AsyncDisposableStack()
      const directory = join(bench.credentials.directory, 'echo-audit')
      mkdirSync(directory, { recursive: true })
      running.defer(() => rmSync(directory, { recursive: true, force: true }))
      const intercept = { stdin: true, stdout: true, stderr: true }
      const audit = { enable: true, format: 'binary', storage: 'file', file: { directory }, intercept }
      const recording = running.use(
        await startWith({ backend: 'bench', config: { audit } })(bench.credentials, bench.signal),
      )
      const rows: Row[] = []
      let left = scenes.reduce((sum, scene) => sum + passesOf(scene), 0)
      for (const scene of scenes) {
        rows.push(...(await rowsFor(bench, [...servers, { ...recording, name: audited }], scene, left)))
        left -= passesOf(scene)
      }
      return { rows, notes: [] }
    }),
}
