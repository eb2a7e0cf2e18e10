import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { holdLoad, runLoad, targetFlags } from '../load.ts'
import { settle } from '../measure.ts'
import { pssKb } from '../proc.ts'
import { type Bench, type Question, type Row, rowsOf } from '../question.ts'
import type { Start } from '../server.ts'

/** Time in which garbage of the logins may be collected; both sides get it. */
const restMs = 5000
const warmUpLogins = 100
const scenes = [
  { count: 200, rounds: 3 },
  { count: 2000, rounds: 2 },
] as const
/** sshd needs two processes and about 2 MB per connection. */
const roomForKb = 2500

/** A fresh server: what it grew to in an earlier round would hide what this one needs. */
async function measure(bench: Bench, start: Start, count: number): Promise<number> {
  await using server = await start(bench.credentials, bench.signal)
  await runLoad(bench.load, 'login', [...targetFlags(server), '-count', `${warmUpLogins}`], bench.signal)
  await settle(server, bench.signal)
  await sleep(restMs, undefined, { signal: bench.signal })
  const empty = pssKb(server.pid)
  await using _held = await holdLoad(bench.load, 'idle', [...targetFlags(server), '-count', `${count}`], bench.signal)
  await settle(server, bench.signal)
  await sleep(restMs, undefined, { signal: bench.signal })
  return (pssKb(server.pid) - empty) / count
}

/** Whether `count` connections of sshd fit into what is free; the others need a fraction of it. */
async function fits(count: number): Promise<boolean> {
  const free = Number(/^MemAvailable:\s+(\d+) kB/m.exec(await readFile('/proc/meminfo', 'latin1'))?.[1] ?? 0)
  return free > count * roomForKb
}

export const memory: Question = {
  name: 'memory',
  title: 'Memory per idle connection',
  about:
    'Authenticated connections with one open session channel that do nothing. Proportional set size (PSS) of all processes of ' +
    "the server, 5 s after the last login, less that of the empty server after 100 logins. The kernel's part is not in it.",
  async run(bench) {
    const rows: Row[] = []
    const notes: string[] = []
    for (const { count, rounds } of scenes) {
      const all = await fits(count)
      if (!all)
        notes.push(`${count} connections of sshd do not fit into this machine's memory: only ours were measured.`)
      const samples = new Map<string, Map<string, number[]>>()
      for (let round = 0; round < (bench.quick ? 1 : rounds); round++) {
        for (const [name, start] of bench.starts) {
          if (!all && name === 'sshd') continue
          bench.progress(`${count} connections, ${name}, round ${round + 1}`)
          const values = samples.get(name)?.get('kb') ?? []
          samples.set(name, new Map([['kb', [...values, await measure(bench, start, count)]]]))
        }
      }
      rows.push(...rowsOf(samples, [{ figure: 'kb', label: `${count} connections`, unit: 'kB', target: 1 / 10 }]))
    }
    return { rows, notes }
  },
}
