import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Held, holdLoad, results, runLoad, targetFlags } from '../load.ts'
import { type Figures, interleave, judgedRounds, settle, watch } from '../measure.ts'
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

/** Of the sessions that are there some type. */
interface Pass {
  readonly label: string
  readonly active: number
  /** Keystrokes per second and session. */
  readonly rate: number
  /** While another session streams. */
  readonly beside?: boolean
  readonly target?: number
}
interface Scene {
  readonly sessions: number
  readonly passes: readonly Pass[]
}

/**
 * Of one round. A p99 is that of what stops all sessions for a hundredth of it: it is so long that one collection of garbage, on
 * either side of the wire, is hardly more than that.
 */
const seconds = 1
const all = { active: 1000, rate: 10, target: 0.5 }
const scenes: readonly Scene[] = [
  { sessions: 1, passes: [{ label: '1 session', active: 1, rate: 100 }] },
  {
    sessions: 1000,
    passes: [
      { label: '100 sessions, 900 idle ones', active: 100, rate: 100 },
      { label: '1,000 sessions', ...all },
      { label: '1,000 sessions, one more streams', ...all, beside: true },
    ],
  },
]
/** Where nothing is aimed at. */
const fewRounds = 3
/** Until the stream is one: its login and its first window are over. */
const flowMs = 500
/** More than a round takes: the stream is cut when the keys are typed. */
const streamBytes = 2 ** 36
const audited = 'ours with audit'

interface Terminals {
  readonly name: string
  readonly server: Server
  readonly held: Held
}

async function type(bench: Bench, { server, held }: Terminals, pass: Pass, isWarmUp: boolean): Promise<Figures> {
  const { active, rate, beside = false } = pass
  const keys = Math.ceil(rate * seconds * (isWarmUp ? 1 / 4 : 1))
  const typed = async () => results.echo.parse(await held.again(`${keys} ${active} ${rate}`))
  if (!beside) {
    const { result, otherShare: others } = await watch(server, bench.signal, typed)
    return { p50: result.latencyUs.p50, p99: result.latencyUs.p99, [otherShare]: others }
  }
  await settle(server, bench.signal)
  await using _stream = stream(bench, server)
  await sleep(flowMs, undefined, { signal: bench.signal })
  // The stream's own generator is no noise.
  const { latencyUs } = await typed()
  return { p50: latencyUs.p50, p99: latencyUs.p99, [otherShare]: 0 }
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
async function rowsFor(
  bench: Bench,
  servers: readonly Server[],
  { sessions, passes }: Scene,
  left: number,
): Promise<Row[]> {
  await using running = new AsyncDisposableStack()
  bench.progress(`logins of ${sessions}`)
  const logins = await Promise.allSettled(
    servers.map(async (server): Promise<Terminals> => {
      const flags = [...targetFlags(server), '-command', server.commands.echo, '-active', `${sessions}`, '-hold']
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
  const rows: Row[] = []
  for (const [index, pass] of passes.entries()) rows.push(...(await rowsOfPass(bench, sides, pass, left - index)))
  return rows
}

async function rowsOfPass(bench: Bench, sides: readonly Terminals[], pass: Pass, left: number): Promise<Row[]> {
  const { label, target } = pass
  const progress = (text: string): void => bench.progress(`${label}, ${text}`)
  const amounts = target === undefined ? { rounds: fewRounds } : { rounds: judgedRounds, least: judgedRounds }
  const rounds = { ...bench, ...part(bench, left), ...amounts, ...(bench.quick && { rounds: 1 }), warmUp: 1, progress }
  const samples = await interleave(sides, rounds, (side, isWarmUp) => type(bench, side, pass, isWarmUp))
  const p99: RowSpec = { figure: 'p99', label: `p99, ${label}`, unit: 'µs' }
  return rowsOf(samples, [
    { figure: 'p50', label: `p50, ${label}`, unit: 'µs' },
    target === undefined ? p99 : { ...p99, target },
  ])
}

export const echo: Question = {
  name: 'echo',
  title: 'Keystroke echo',
  seconds: 95,
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
      const sides = [...servers, { ...recording, name: audited }]
      const rows: Row[] = []
      let left = scenes.reduce((sum, { passes }) => sum + passes.length, 0)
      for (const scene of scenes) {
        rows.push(...(await rowsFor(bench, sides, scene, left)))
        left -= scene.passes.length
      }
      return { rows, notes: [] }
    }),
}
