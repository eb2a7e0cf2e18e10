import { type BareEngine, bareEngine, dockerConfig } from '../engine.ts'
import { runLoad, targetFlags } from '../load.ts'
import { turns } from '../measure.ts'
import { startWith } from '../ours.ts'
import { type Answer, type Bench, orNote, type Question, rowsOf } from '../question.ts'
import { note, type Sides, timed } from '../samples.ts'
import type { Server } from '../server.ts'
import { summarize } from '../stats.ts'

const rounds = 3
const warmCommands = 8
const coldCommands = 2

/** The median time of `count` runs, one after the other, in ms. */
async function medianMs(count: number, task: () => Promise<void>): Promise<number> {
  const times: number[] = []
  for (let run = 0; run < count; run++) times.push(await timed(task))
  return summarize(times).median
}

async function overSsh(bench: Bench, server: Server, count: number, more: readonly string[]): Promise<number> {
  const flags = [...targetFlags(server), '-command', 'true', '-count', `${count}`, ...more]
  return (await runLoad(bench.load, 'exec', flags, bench.signal)).latencyUs.p50 / 1000
}

/** A new container each time; those that were made are removed outside of the measured time. */
async function cold(bare: BareEngine, count: number, use: (container: string) => Promise<void>): Promise<number> {
  const made: string[] = []
  const median = await medianMs(count, async () => {
    const container = await bare.create()
    made.push(container)
    await use(container)
  })
  await Promise.all(made.map((container) => bare.remove(container)))
  return median
}

async function measure(bench: Bench, bare: BareEngine): Promise<Answer> {
  const start = startWith({ backend: 'docker', config: dockerConfig(bare) })
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => bare.sweep())
  const server = cleanup.use(await start(bench.credentials, bench.signal))
  const warm = await bare.create()
  const sides: Sides = new Map()
  for (const round of turns({ ...bench, rounds: bench.quick ? 1 : rounds, warmUp: 1 })) {
    const [many, few] = bench.quick || round < 0 ? [4, 1] : [warmCommands, coldCommands]
    bench.progress(round < 0 ? 'warm-up' : `round ${round + 1}`)
    const figures = [
      ['ours', 'warm', await overSsh(bench, server, many, [])],
      ['docker exec', 'warm', await medianMs(many, () => bare.exec(warm))],
      ['ours', 'cold', await overSsh(bench, server, few, ['-reconnect'])],
      ['create + start', 'cold', await cold(bare, few, async () => undefined)],
      ['create + start + exec', 'cold', await cold(bare, few, (container) => bare.exec(container))],
    ] as const
    if (round >= 0) for (const [side, figure, value] of figures) note(sides, side, figure, value)
  }
  const rows = rowsOf(sides, [
    { figure: 'warm', label: 'p50 of true, container runs', unit: 'ms' },
    { figure: 'cold', label: 'p50 of login and true, new container', unit: 'ms' },
  ])
  return { rows, notes: [] }
}

export const docker: Question = {
  name: 'docker',
  title: 'Docker room',
  seconds: 16,
  needs: 'a Docker engine',
  prepare: bareEngine,
  about:
    '`true` in a container of a busybox image, one after the other: on a connection whose container runs, beside exec over the ' +
    'Engine API; and with a new connection and container each, beside create and start, and create, start and exec.',
  run: (bench) => orNote(bench, bareEngine, measure),
}
