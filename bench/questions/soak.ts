import { performance } from 'node:perf_hooks'
import { liveBytes } from '../live-memory.ts'
import { runLoad, targetFlags } from '../load.ts'
import { settle } from '../measure.ts'
import { type Bench, ours, type Question, rowsOf } from '../question.ts'
import { note, type Sides } from '../samples.ts'
import type { Server } from '../server.ts'
import { slope } from '../stats.ts'

const loginsPerStep = 400
/** Fewer points make no line. */
const leastSteps = 4
/** Until what is made once has been made. */
const warmUpMs = 4000
const measuredMs = 8000

interface Step {
  /** Logins since the start. */
  readonly logins: number
  readonly bytes: number
  readonly p99: number
}

async function steps(bench: Bench, server: Server): Promise<readonly Step[]> {
  const found: Step[] = []
  const perStep = bench.quick ? loginsPerStep / 20 : loginsPerStep
  const flags = [...targetFlags(server), '-count', `${perStep}`, '-parallel', '8', '-reconnect']
  const [warmUp, measured] = bench.quick ? [1000, 2000] : [warmUpMs, measuredMs]
  const begin = performance.now()
  const isEnough = (): boolean => performance.now() - begin > warmUp + measured && found.length >= leastSteps
  for (let logins = perStep; !isEnough(); logins += perStep) {
    bench.progress(`${server.name}, ${logins} logins`)
    const stepBegin = performance.now()
    const { latencyUs } = await runLoad(bench.load, 'exec', [...flags, '-command', server.commands.true], bench.signal)
    await settle(server, bench.signal)
    const bytes = await liveBytes(server.pid, bench.credentials.directory, bench.signal)
    const now = performance.now()
    const isWarm = now - begin > warmUp
    bench.clock.spent(isWarm ? 'rounds' : 'warmUp', stepBegin, now)
    if (isWarm) found.push({ logins, bytes, p99: latencyUs.p99 / 1000 })
  }
  return found
}

export const soak: Question = {
  name: 'soak',
  title: 'What grows',
  seconds: 15,
  about:
    `A login and a command each, 8 at a time, for ${measuredMs / 1000} s after ${warmUpMs / 1000} s of the same: objects and buffers that are ` +
    `alive in all processes after a full collection, asked for after each ${loginsPerStep} logins, over the number of logins, by the line of ` +
    'least squares. What native code has allocated is not in it; `npm run soak` looks at that, for hours.',
  async run(bench) {
    const start = bench.starts.get(ours)
    if (start === undefined) throw new Error('there is nothing to start')
    await using server = await start(bench.credentials, bench.signal)
    const found = await steps(bench, server)
    const sides: Sides = new Map()
    note(sides, ours, 'bytes', slope(found.map(({ logins, bytes }) => [logins, bytes] as const)))
    for (const { p99 } of found) note(sides, ours, 'p99', p99)
    const rows = rowsOf(sides, [
      { figure: 'bytes', label: 'memory that each login leaves behind', unit: 'B', limit: 1024 },
      { figure: 'p99', label: 'p99, login and command', unit: 'ms' },
    ])
    const [first, last] = [found[0], found.at(-1)]
    return {
      rows,
      notes: [`From ${mb(first)} MB after ${first?.logins} logins to ${mb(last)} MB after ${last?.logins}.`],
    }
  },
}

const mb = (step: Step | undefined): string => ((step?.bytes ?? Number.NaN) / 1e6).toFixed(2)
