import { availableParallelism } from 'node:os'
import { runLoad, targetFlags } from '../load.ts'
import { interleave } from '../measure.ts'
import { startWith } from '../ours.ts'
import { amount, type Bench, ours, type Question, rowsOf } from '../question.ts'
import { type Server, startTogether } from '../server.ts'
import { measureLogins } from './login.ts'

const logins = 600
const [streams, streamBytes] = [4, 2 ** 26]

async function measure(bench: Bench, server: Server, isWarmUp: boolean) {
  const logs = { method: 'key', count: logins, isWarmUp } as const
  const { perSecond, cpuMs, otherShare } = await measureLogins(bench, server, logs)
  const bytes = amount(bench, streamBytes, isWarmUp)
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
  seconds: 17,
  about:
    `Logins, 8 at a time, and ${streams} streams of zeros, with one worker, with one per core (ours), and with twice as many. The load ` +
    'generator has the same cores: on a small machine it takes half of what workers could have.',
  async run(bench) {
    await using running = new AsyncDisposableStack()
    const cores = availableParallelism()
    const withWorkers = (workers: number) => startWith({ backend: 'bench', config: { workers } })
    const servers = await startTogether(bench, running, [
      [ours, withWorkers(cores)],
      ['1 worker', withWorkers(1)],
      [`${2 * cores} workers`, withWorkers(2 * cores)],
    ])
    const rounds = { ...bench, rounds: bench.quick ? 1 : 3, warmUp: 1 }
    const samples = await interleave(servers, rounds, (server, isWarmUp) => measure(bench, server, isWarmUp))
    const rows = rowsOf(samples, [
      { figure: 'perSecond', label: 'logins per second', unit: '/s', better: 'higher' },
      { figure: 'cpuMs', label: 'server CPU per login', unit: 'ms' },
      { figure: 'mbPerSecond', label: `throughput, ${streams} streams`, unit: 'MB/s', better: 'higher' },
    ])
    return { rows, notes: [] }
  },
}
