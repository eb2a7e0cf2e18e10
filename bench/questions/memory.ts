import { readFile } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { holdLoad, runLoad, targetFlags } from '../load.ts'
import { settle } from '../measure.ts'
import { pssKb } from '../proc.ts'
import { type Bench, type Question, type Row, rowsOf } from '../question.ts'
import { note, type Sides } from '../samples.ts'
import type { Method, Start } from '../server.ts'

/** Time in which garbage of the logins may be collected; all sides get it. */
const restMs = 3000
const warmUpLogins = 50

interface Scene {
  readonly label: string
  readonly count: number
  readonly rounds: number
  /** sshd takes a minute and 10 GB for the largest one. */
  readonly alone?: boolean
  /** Clients that grant 4 GiB, ask for all of it and never read. */
  readonly slow?: boolean
}
const scenes: readonly Scene[] = [
  { label: '200 connections', count: 200, rounds: 3 },
  { label: '1,000 connections', count: 1000, rounds: 1 },
  { label: '5,000 connections', count: 5000, rounds: 1, alone: true },
  { label: '100 clients that do not read', count: 100, rounds: 3, slow: true },
]
/** sshd needs two processes and about 2 MB per connection. */
const roomForKb = 2500

/** In kB, of one connection. A fresh server: what it grew to in an earlier round would hide what this one needs. */
export async function memoryOf(
  bench: Bench,
  start: Start,
  scene: Pick<Scene, 'count' | 'slow'>,
  method: Method = 'key',
): Promise<number> {
  const { slow = false } = scene
  const count = bench.quick ? scene.count / 10 : scene.count
  await using server = await start(bench.credentials, bench.signal)
  const { signal } = bench
  const login = targetFlags(server, method)
  await runLoad(bench.load, 'login', [...login, '-count', `${warmUpLogins}`], signal)
  await settle(server, signal)
  await sleep(restMs, undefined, { signal })
  const empty = pssKb(server.pid)
  const endless = server.commands.source.replace('{bytes}', '1000000000000')
  const worst = ['-mode', 'window', '-clients', `${count}`, '-command', endless]
  await using _held = slow
    ? await holdLoad(bench.load, 'hostile', [...login, ...worst], signal)
    : await holdLoad(bench.load, 'idle', [...login, '-count', `${count}`], signal)
  await settle(server, signal)
  await sleep(restMs, undefined, { signal })
  return (pssKb(server.pid) - empty) / count
}

/** Whether `count` connections of sshd fit into what is free; the others need a fraction of it. */
async function fits(count: number): Promise<boolean> {
  const free = Number(/^MemAvailable:\s+(\d+) kB/m.exec(await readFile('/proc/meminfo', 'latin1'))?.[1] ?? 0)
  return free > count * roomForKb
}

/**
 * All rounds of all sides at the same time, each on a server of its own: what is measured is memory, which others do not
 * disturb as they would disturb a time.
 */
async function atOnce(
  bench: Bench,
  starts: readonly (readonly [name: string, start: Start])[],
  scene: Scene,
  rounds: number,
): Promise<Sides> {
  const all = Array.from({ length: rounds }, () => starts).flat()
  const found = await Promise.allSettled(all.map(async ([, start]) => memoryOf(bench, start, scene)))
  const sides: Sides = new Map()
  for (const [index, one] of found.entries()) {
    if (one.status === 'rejected') throw one.reason
    note(sides, all[index]?.[0] ?? '', 'kb', one.value)
  }
  return sides
}

export const memory: Question = {
  name: 'memory',
  title: 'Memory per connection',
  seconds: 46,
  about:
    'Authenticated connections with one open session channel that do nothing. Proportional set size (PSS) of all processes of ' +
    "the server, 3 s after the last login, less that of the empty server after 50 logins. The kernel's part is not in it. Then " +
    'clients that grant a window of 4 GiB, ask for all of it, and never read.',
  async run(bench) {
    const rows: Row[] = []
    const notes: string[] = []
    for (const scene of scenes) {
      const { label, count, rounds, alone = false } = scene
      const all = !alone && (await fits(count * rounds))
      if (!all) notes.push(`${label}: only ours; sshd would take too long, or more memory than there is.`)
      bench.progress(label)
      const start = performance.now()
      const sides = await atOnce(
        bench,
        [...bench.starts].filter(([name]) => all || name !== 'sshd'),
        scene,
        bench.quick ? 1 : rounds,
      )
      bench.clock.spent('rounds', start, performance.now())
      rows.push(...rowsOf(sides, [{ figure: 'kb', label, unit: 'kB', target: 1 / 10 }]))
    }
    return { rows, notes }
  },
}
