import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runLoad, targetFlags } from '../load.ts'
import { loopDelayMs } from '../loop-delay.ts'
import { costOf, type Figures, interleave } from '../measure.ts'
import { startWith } from '../ours.ts'
import { amount, type Bench, otherShare, ours, part, type Question, type Row, rowsOf } from '../question.ts'
import { type Server, startTogether } from '../server.ts'
import { measurePool } from './audit-pool.ts'

const streams = 4
const keys = { active: 50, count: 60 }
const streamBytes = 2 ** 24
const contents = ['zeros', 'text', 'random'] as const

const intercept = { stdin: true, stdout: true, stderr: true, passwords: true, forwarding: true }
/** What is behind `audit`, by the name of the side. */
const sides: readonly (readonly [name: string, audit: object])[] = [
  [ours, { format: 'binary', storage: 'file' }],
  ['without audit', { enable: false }],
  ['zstd', { format: 'zstd', storage: 'file' }],
]

async function startAll(bench: Bench, running: AsyncDisposableStack): Promise<readonly Server[]> {
  const directory = join(bench.credentials.directory, 'audit')
  mkdirSync(directory, { recursive: true })
  running.defer(() => rmSync(directory, { recursive: true, force: true }))
  const configOf = (audit: object) => ({ audit: { enable: true, file: { directory }, intercept, ...audit } })
  const starts = sides.map(([name, audit]) => [name, startWith({ backend: 'bench', config: configOf(audit) })] as const)
  return await startTogether(bench, running, starts)
}

async function down(bench: Bench, server: Server, content: string, isWarmUp: boolean): Promise<Figures> {
  const { directory } = bench.credentials
  const bytes = amount(bench, streamBytes, isWarmUp)
  const command = `source {bytes} ${content}`
  const flags = [...targetFlags(server), '-cipher', 'aes128-gcm@openssh.com', '-streams', `${streams}`]
  await loopDelayMs(server.pid, directory)
  const cost = await costOf(server, bench.signal, () =>
    runLoad(bench.load, 'down', [...flags, '-bytes', `${bytes}`, '-command', command], bench.signal),
  )
  const loopMs = await loopDelayMs(server.pid, directory)
  return {
    mbPerSecond: cost.result.mbPerSecond,
    cpuSecondsPerGB: cost.serverCpuMs / 1000 / (cost.result.bytes / 1e9),
    loopMs,
    [otherShare]: cost.otherShare,
  }
}

async function type(bench: Bench, server: Server, isWarmUp: boolean): Promise<Figures> {
  const count = amount(bench, keys.count, isWarmUp)
  const flags = [...targetFlags(server), '-command', server.commands.echo, '-active', `${keys.active}`, '-idle', '0']
  const cost = await costOf(server, bench.signal, () =>
    runLoad(bench.load, 'echo', [...flags, '-keys', `${count}`], bench.signal),
  )
  const { p50, p99 } = cost.result.latencyUs
  return { cpuUs: (cost.serverCpuMs * 1000) / (count * keys.active), p50, p99, [otherShare]: cost.otherShare }
}

async function bulkRows(bench: Bench, servers: readonly Server[]): Promise<Row[]> {
  const rows: Row[] = []
  // Beside the bytes there are the keys, and the threads alone.
  let left = contents.length + 2
  for (const content of contents) {
    const progress = (text: string): void => bench.progress(`${content} ${text}`)
    const rounds = { ...bench, ...part(bench, left--), rounds: bench.quick ? 2 : 3, warmUp: 1, progress }
    const samples = await interleave(servers, rounds, (server, isWarmUp) => down(bench, server, content, isWarmUp))
    const what = `${streams} streams of ${content}`
    rows.push(
      ...rowsOf(samples, [
        { figure: 'mbPerSecond', label: `throughput, ${what}`, unit: 'MB/s', better: 'higher' },
        { figure: 'cpuSecondsPerGB', label: `server CPU, ${what}`, unit: 's/GB' },
        { figure: 'loopMs', label: `primary's loop, p99 of its delay, ${what}`, unit: 'ms' },
      ]),
    )
  }
  return rows
}

export const audit: Question = {
  name: 'audit',
  title: 'Audit log',
  seconds: 40,
  about:
    `${streams} sessions that stream output, all intercepts on, logs in files, beside the same daemon without an audit log and with ` +
    `format zstd. Then ${keys.active} sessions in which 100 keys per second are typed and echoed. The last rows are the threads ` +
    'that encode alone, fed with batches of records of terminal output and of keystrokes.',
  async run(bench) {
    await using running = new AsyncDisposableStack()
    const servers = await startAll(bench, running)
    const bulk = await bulkRows(bench, servers)
    const rounds = { ...bench, ...part(bench, 2), rounds: bench.quick ? 2 : 5, warmUp: 1 }
    const samples = await interleave(servers, rounds, (server, isWarmUp) => type(bench, server, isWarmUp))
    const typed = rowsOf(samples, [
      { figure: 'cpuUs', label: 'server CPU per keystroke', unit: 'µs' },
      { figure: 'p50', label: 'p50 of a keystroke', unit: 'µs' },
      { figure: 'p99', label: 'p99 of a keystroke', unit: 'µs' },
    ])
    return { rows: [...bulk, ...typed, ...(await measurePool(bench))], notes: [] }
  },
}
