import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { runLoad, targetFlags } from '../load.ts'
import { type Figures, interleave } from '../measure.ts'
import { startWith } from '../ours.ts'
import { cpuMs } from '../proc.ts'
import { type Bench, ours, type Question, rowsOf } from '../question.ts'
import type { Start } from '../server.ts'
import { startSshd } from '../sshd.ts'

/** As `npm start` and the service have it, and as a first start is. */
const sides: readonly (readonly [name: string, cached: boolean])[] = [
  [ours, true],
  ['first start', false],
]

async function measure(bench: Bench, start: Start): Promise<Figures> {
  const begin = performance.now()
  await using server = await start(bench.credentials, bench.signal)
  await runLoad(bench.load, 'greet', [...targetFlags(server), '-count', '1'], bench.signal)
  return { ms: performance.now() - begin, cpu: cpuMs(server.pid) }
}

export const startUp: Question = {
  name: 'start',
  title: 'Start',
  seconds: 13,
  about:
    'From the start of the process until the port greets with its identification, which takes a worker that is ready; with the ' +
    'cache of compiled code that `npm start` and the service have (ours), without, and of sshd.',
  async run(bench) {
    const cache = join(bench.credentials.directory, 'compile-cache')
    const starts = sides.map(([name, cached]) => {
      const env = cached ? { NODE_COMPILE_CACHE: cache } : { NODE_DISABLE_COMPILE_CACHE: '1' }
      return { name, start: startWith({ backend: 'bench', env }) }
    })
    try {
      const all = [...starts, ...(bench.starts.has('sshd') ? [{ name: 'sshd', start: startSshd }] : [])]
      const rounds = { ...bench, rounds: bench.quick ? 1 : 3, warmUp: 1 }
      const samples = await interleave(all, rounds, ({ start }) => measure(bench, start))
      const rows = rowsOf(samples, [
        { figure: 'ms', label: 'until the port greets', unit: 'ms' },
        { figure: 'cpu', label: 'CPU of all processes until then', unit: 'ms' },
      ])
      return { rows, notes: [] }
    } finally {
      rmSync(cache, { recursive: true, force: true })
    }
  },
}
