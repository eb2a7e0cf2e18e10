/** What each part of the way through the daemon adds, switched on one at a time. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runLoad, targetFlags } from '../load.ts'
import { costOf, type Figures, interleave } from '../measure.ts'
import { startWith } from '../ours.ts'
import { freePort } from '../process.ts'
import { amount, type Bench, otherShare, ours, type Question, rowsOf } from '../question.ts'
import { type Server, startTogether } from '../server.ts'

const [commands, streamBytes] = [1000, 2 ** 27]

const security = {
  command: { mode: 'filter', allow: ['true', 'uptime', { regex: '(source|sink|echo).*' }] },
  env: { deny: [{ glob: 'LD_*' }] },
  maxSessions: 100,
}
const limits = { idleTimeout: '1h', sessionTimeout: '10h' }

/** By the name of the side: what is in its configuration besides. */
async function configurations(directory: string): Promise<ReadonlyMap<string, object>> {
  const metrics = { enable: true, listen: `127.0.0.1:${await freePort()}` }
  const intercept = { stdin: true, stdout: true, stderr: true, passwords: true, forwarding: true }
  const audit = { enable: true, format: 'binary', storage: 'file', file: { directory }, intercept }
  const all = { security, limits, audit, metrics: { ...metrics, listen: `127.0.0.1:${await freePort()}` } }
  return new Map<string, object>([
    [ours, {}],
    ['security', { security }],
    ['limits', { limits }],
    ['metrics', { metrics }],
    ['audit', { audit }],
    ['all of them', all],
  ])
}

async function measure(bench: Bench, server: Server, isWarmUp: boolean): Promise<Figures> {
  const count = amount(bench, commands, isWarmUp)
  const command = [...targetFlags(server), '-count', `${count}`, '-command', server.commands.true]
  const exec = await costOf(server, bench.signal, () => runLoad(bench.load, 'exec', command, bench.signal))
  const bytes = amount(bench, streamBytes, isWarmUp)
  const flags = [...targetFlags(server), '-cipher', 'aes128-gcm@openssh.com', '-bytes', `${bytes}`]
  const stream = [...flags, '-command', server.commands.source]
  const down = await costOf(server, bench.signal, () => runLoad(bench.load, 'down', stream, bench.signal))
  return {
    execUs: (exec.serverCpuMs * 1000) / count,
    cpuSecondsPerGB: down.serverCpuMs / 1000 / (bytes / 1e9),
    [otherShare]: Math.max(exec.otherShare, down.otherShare),
  }
}

export const layers: Question = {
  name: 'layers',
  title: 'What layers cost',
  seconds: 28,
  about:
    'Server CPU of one command on an open connection, and of one stream of zeros, with nothing configured (ours), with each of ' +
    'security rules, limits of time, metrics and an audit log of everything, and with all. Bytes do not pass through layers: only the ' +
    'audit log looks at them.',
  async run(bench) {
    await using running = new AsyncDisposableStack()
    const directory = join(bench.credentials.directory, 'layers-audit')
    mkdirSync(directory, { recursive: true })
    running.defer(() => rmSync(directory, { recursive: true, force: true }))
    const starts = [...(await configurations(directory))].map(
      ([name, config]) => [name, startWith({ backend: 'bench', config: { ...config, workers: 1 } })] as const,
    )
    const servers = await startTogether(bench, running, starts)
    const rounds = { ...bench, rounds: bench.quick ? 1 : 3, warmUp: 1 }
    const samples = await interleave(servers, rounds, (server, isWarmUp) => measure(bench, server, isWarmUp))
    const rows = rowsOf(samples, [
      { figure: 'execUs', label: 'server CPU per command', unit: 'µs' },
      { figure: 'cpuSecondsPerGB', label: 'server CPU down, aes128-gcm', unit: 's/GB' },
    ])
    return { rows, notes: [] }
  },
}
