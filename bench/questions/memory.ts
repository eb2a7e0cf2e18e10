import { readFile } from 'node:fs/promises'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { liveBytes } from '../live-memory.ts'
import { holdLoad, runLoad, targetFlags } from '../load.ts'
import { settle } from '../measure.ts'
import { pssKb } from '../proc.ts'
import { type Bench, ours, type Question, type Row, rowsOf } from '../question.ts'
import { note, type Sides } from '../samples.ts'
import type { Method, Server, Start } from '../server.ts'

/** Time in which what was collected is given back to the system; all sides get it. */
const restMs = 2000
const warmUpLogins = 30

interface Scene {
  readonly label: string
  readonly count: number
  /** sshd takes a minute and 10 GB for the largest one. */
  readonly alone?: boolean
  /** Clients that grant 4 GiB, ask for all of it and never read. */
  readonly slow?: boolean
}
const few: Scene = { label: '200 connections', count: 200 }
const some: Scene = { label: '1,000 connections', count: 1000 }
const many: Scene = { label: '5,000 connections', count: 5000, alone: true }
const slow: Scene = { label: '100 clients that do not read', count: 100, slow: true }
const scenes: readonly Scene[] = [few, some, many, slow]
/** At the same time: two thousand processes of sshd, and more, keep a small machine from looking at any. */
const groups: readonly (readonly Scene[])[] = [[few, many], [some], [slow]]
/** sshd needs two processes and about 2 MB per connection. */
const roomForKb = 2500

/** Those who measure at the same time; nobody goes on before all have come. */
interface Meeting {
  meet(): Promise<void>
  /** One of them cannot come any more. */
  fail(error: unknown): void
}
const alone: Meeting = { meet: async () => undefined, fail: () => undefined }

function meetingOf(members: number): Meeting {
  let [missing, all] = [members, Promise.withResolvers<void>()]
  let broken: Promise<never> | undefined
  return {
    async meet() {
      await broken
      const { promise, resolve } = all
      missing -= 1
      if (missing === 0) {
        missing = members
        all = Promise.withResolvers()
        resolve()
      }
      await promise
    },
    fail(error) {
      broken ??= Promise.reject(error)
      // Whoever waits, or comes later, hears of it; there may be nobody.
      for (const promise of [broken, all.promise]) promise.catch(() => undefined)
      all.reject(error)
    },
  }
}

interface Ways {
  readonly method?: Method
  readonly meeting?: Meeting
  /** The server answers `liveBytes`. */
  readonly collects?: boolean
}

/**
 * In kB, of one connection. A fresh server: what it grew to in an earlier round would hide what this one needs. The pages of
 * a program are divided among all servers that run it: none comes or goes between the two looks at any of them.
 */
export async function memoryOf(
  bench: Bench,
  start: Start,
  scene: Pick<Scene, 'count' | 'slow'>,
  { method = 'key', meeting = alone, collects = false }: Ways,
): Promise<number> {
  const { slow = false } = scene
  const count = bench.quick ? scene.count / 10 : scene.count
  await using server = await start(bench.credentials, bench.signal)
  await meeting.meet()
  const { signal } = bench
  const login = targetFlags(server, method)
  await runLoad(bench.load, 'login', [...login, '-count', `${warmUpLogins}`], signal)
  await settle(server, signal)
  const empty = await atRest(bench, server, collects)
  const endless = server.commands.source.replace('{bytes}', '1000000000000')
  const worst = ['-mode', 'window', '-clients', `${count}`, '-command', endless]
  await using _held = slow
    ? await holdLoad(bench.load, 'hostile', [...login, ...worst], signal)
    : await holdLoad(bench.load, 'idle', [...login, '-count', `${count}`], signal)
  await settle(server, signal)
  await meeting.meet()
  const full = await atRest(bench, server, collects)
  await meeting.meet()
  return (full - empty) / count
}

/** In kB, without the garbage of the start and of the logins: whether that is still there at a moment is chance. */
async function atRest({ credentials, signal }: Bench, server: Server, collects: boolean): Promise<number> {
  if (collects) await liveBytes(server.pid, credentials.directory, signal)
  await sleep(restMs, undefined, { signal })
  return pssKb(server.pid)
}

/** Whether `count` connections of sshd fit into what is free; the others need a fraction of it. */
async function fits(count: number): Promise<boolean> {
  const free = Number(/^MemAvailable:\s+(\d+) kB/m.exec(await readFile('/proc/meminfo', 'latin1'))?.[1] ?? 0)
  return free > count * roomForKb
}

/** One server of one scene. */
interface Member {
  readonly scene: Scene
  readonly name: string
  readonly start: Start
}

/** Of all scenes, as far as the machine has the memory for them. */
async function membersOf(bench: Bench, notes: string[]): Promise<readonly Member[]> {
  const members: Member[] = []
  for (const scene of scenes) {
    const isForAll = scene.alone !== true && (await fits(scene.count))
    if (!isForAll) notes.push(`${scene.label}: only ours; sshd would take too long, or more memory than there is.`)
    for (const [name, start] of bench.starts) {
      if (name !== 'sshd' || isForAll) members.push({ scene, name, start })
    }
  }
  return members
}

/** All of them at the same time: what is measured is memory, which others do not disturb as they would disturb a time. */
async function atOnce(bench: Bench, members: readonly Member[], figures: Map<Member, number>): Promise<void> {
  const meeting = meetingOf(members.length)
  const found = await Promise.allSettled(
    members.map(async (member) => {
      try {
        figures.set(
          member,
          await memoryOf(bench, member.start, member.scene, { meeting, collects: member.name === ours }),
        )
      } catch (error) {
        meeting.fail(error)
        throw error
      }
    }),
  )
  for (const one of found) if (one.status === 'rejected') throw one.reason
}

export const memory: Question = {
  name: 'memory',
  title: 'Memory per connection',
  seconds: 86,
  about:
    'Authenticated connections with one open session channel that do nothing. Proportional set size (PSS) of all processes of ' +
    `the server, less that of the empty server after ${warmUpLogins} logins, both ${restMs / 1000} s after a full collection of garbage. The kernel's part is not in it. Then ` +
    'clients that grant a window of 4 GiB, ask for all of it, and never read. The servers run at the same time, once: what a connection needs hardly varies.',
  async run(bench) {
    const notes: string[] = []
    const members = await membersOf(bench, notes)
    const start = performance.now()
    const figures = new Map<Member, number>()
    for (const group of groups) {
      const present = members.filter(({ scene }) => group.includes(scene))
      await atOnce(bench, present, figures)
    }
    bench.clock.spent('rounds', start, performance.now())
    const rows = scenes.flatMap((scene): Row[] => {
      const sides: Sides = new Map()
      for (const [member, kb] of figures) if (member.scene === scene) note(sides, member.name, 'kb', kb)
      return rowsOf(sides, [{ figure: 'kb', label: scene.label, unit: 'kB', target: 1 / 10 }])
    })
    return { rows, notes }
  },
}
