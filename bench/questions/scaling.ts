import { availableParallelism } from 'node:os'
import { runLoad, targetFlags } from '../load.ts'
import { interleave } from '../measure.ts'
import { startWith } from '../ours.ts'
import { type Bench, ours, type Question, rowsOf } from '../question.ts'
import type { Server } from '../server.ts'
import { measureLogins } from './login.ts'

const logins = 600
const [streams, streamBytes] = [4, 2 ** 26]

async function measure(bench: Bench, server: Server) {
  const { perSecond, cpuMs, otherShare } = await measureLogins(bench, server, { method: 'key', count: logins })
  const bytes = bench.quick ? streamBytes / 4 : streamBytes
  const flags = [...targetFlags(server), '-streams', `${streams}`, '-bytes', `${bytes}`]
  const { mbPerSecond } = await runLoad(
    bench.load,
    'down',
    [...flags, '-command', server.commands.source],
    bench.signal,
  )
  return { perSecond: perSecond ?? 0, cpuMs: cpuMs ?? 0, mbPerSecond, otherShare: otherShare ?? 0 }
}

export const scaling: Question = {
  name: 'scaling',
  title: 'From one worker to one per core',
  seconds: 25,
  about:
    `Logins, 8 at a time, and ${streams} streams of zeros, with one worker, with one per core (ours), and with twice as many. The load ` +
    'generator has the same cores: on a small machine it takes half of what workers could have.',
  async run(bench) {
    await using running = new AsyncDisposableStack()
    const cores = availableParallelism()
    const servers: Server[] = []
    const numbers = new Map([
      [ours, cores],
      ['1 worker', 1],
      [`${2 * cores} workers`, 2 * cores],
    ])
    for (const [name, workers] of numbers) {
      const start = startWith({ backend: 'bench', config: { workers } })
      servers.push({ ...running.use(await start(bench.credentials, bench.signal)), name })
    }
    const rounds = { ...bench, rounds: bench.quick ? 1 : 5, warmUp: 1 }
    const samples = await interleave(servers, rounds, (server) => measure(bench, server))
    const rows = rowsOf(samples, [
      { figure: 'perSecond', label: 'logins per second', unit: '/s', better: 'higher' },
      { figure: 'cpuMs', label: 'server CPU per login', unit: 'ms' },
      { figure: 'mbPerSecond', label: `throughput, ${streams} streams`, unit: 'MB/s', better: 'higher' },
    ])
    return { rows, notes: [] }
  },
}
