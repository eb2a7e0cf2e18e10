/**
 * Connections of every kind for a while: resident memory, descriptors and containers come back to their level.
 * The level is taken twice while nobody is connected: after a warm-up, and at the end.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { oneConnection } from './clients.ts'
import { type House, type Size, startHouse } from './house.ts'

export interface SoakOptions {
  readonly minutes: number
  readonly houses: readonly House['name'][]
  readonly say: (line: string) => void
}
export interface SoakResult {
  /** Empty: nothing leaks, nobody failed. */
  readonly faults: readonly string[]
  readonly connections: number
}

/** Clients at once. */
const crowds = { bench: 12, docker: 3 }
const sampleMs = 10_000
/** Descriptors that may come and go: connections to the Docker engine are kept for the next request. */
const pooled = { bench: 2, docker: 10 }
/** Live memory, from level to level: caches fill and code is compiled. A leak of 1 KiB per connection is far above. */
const toleratedLiveKib = 8 * 1024
/** Resident memory: V8 and the allocator keep what they may need again. */
const toleratedResidentKib = 160 * 1024
/** Of live memory, from the slope of the samples between the levels. */
const toleratedKibPerHour = 16 * 1024

interface Sample {
  readonly atMs: number
  readonly sizes: readonly Size[]
  readonly containers: number
}

export async function soakConnections({ minutes, houses: names, say }: SoakOptions): Promise<SoakResult> {
  const signal = AbortSignal.timeout(minutes * 60_000 + 600_000)
  const faults: string[] = []
  const counts = new Map<string, number>()
  let made = 0
  await using stack = new AsyncDisposableStack()
  const houses: House[] = []
  for (const name of names) houses.push(stack.use(await startHouse(name, signal)))

  const crowd = async (forMs: number): Promise<void> => {
    const until = performance.now() + forMs
    const one = async (house: House): Promise<void> => {
      while (performance.now() < until && faults.length < 10) {
        try {
          const name = await oneConnection(house)
          counts.set(name, (counts.get(name) ?? 0) + 1)
          made++
        } catch (error) {
          const { cause, message } = error instanceof Error ? error : new Error(String(error))
          faults.push(`${house.name}: ${message}: ${cause instanceof Error ? cause.message : ''}`)
        }
      }
    }
    await Promise.all(houses.flatMap((house) => Array.from({ length: crowds[house.name] }, () => one(house))))
  }
  const started = performance.now()
  const sample = async (house: House): Promise<Sample> => ({
    atMs: performance.now() - started,
    sizes: await house.sizes(),
    containers: await house.containers(),
  })
  const samples = new Map<House, Sample[]>(houses.map((house) => [house, []]))
  const print = (house: House, { atMs, sizes, containers }: Sample, note = ''): void => {
    const mib = (kib: number): string => (kib / 1024).toFixed(1)
    const cells = sizes.map(
      ({ pid, residentKib, liveKib, descriptors, handles }) =>
        `${pid}: ${mib(residentKib)} MiB, ${mib(liveKib)} live, ${descriptors} fd, ${handles} handles`,
    )
    say(
      `${`${Math.round(atMs / 1000)} s`.padStart(7)} ${house.name.padEnd(6)} ${cells.join('  ')}  ${containers} containers  ${made} connections ${note}`,
    )
  }
  /** Nobody is connected: sockets are closed and containers removed, garbage has had its time. */
  const level = async (house: House, note: string): Promise<Sample> => {
    let now = await sample(house)
    for (let i = 0; i < 30 && now.containers > 0; i++) {
      await sleep(1000)
      now = await sample(house)
    }
    print(house, now, note)
    return now
  }

  const totalMs = minutes * 60_000
  const warmUpMs = Math.min(totalMs / 3, 120_000)
  await crowd(warmUpMs)
  await sleep(5000)
  const before = new Map(await Promise.all(houses.map(async (house) => [house, await level(house, 'level')] as const)))
  const watch = setInterval(async () => {
    for (const house of houses) {
      const now = await sample(house)
      samples.get(house)?.push(now)
      print(house, now)
    }
  }, sampleMs)
  await crowd(totalMs - warmUpMs)
  clearInterval(watch)
  await sleep(8000)
  for (const house of houses) {
    const after = await level(house, 'level')
    faults.push(...compare(house, before.get(house) ?? after, after, samples.get(house) ?? []))
    for (const line of house.troubles().slice(0, 5)) faults.push(`${house.name}: the log says ${line.slice(0, 300)}`)
  }
  say([...counts].map(([name, count]) => `${name}: ${count}`).join(', '))
  return { faults, connections: made }
}

function compare(house: House, before: Sample, after: Sample, samples: readonly Sample[]): string[] {
  const faults: string[] = []
  const pids = ({ sizes }: Sample): string => sizes.map(({ pid }) => pid).join(' ')
  if (pids(before) !== pids(after)) faults.push(`${house.name}: processes ${pids(before)} became ${pids(after)}`)
  if (after.containers > 0) faults.push(`${house.name}: ${after.containers} containers are left`)
  const complain = (pid: number, text: string): void => void faults.push(`${house.name}: process ${pid} ${text}`)
  for (const [index, { pid, ...size }] of after.sizes.entries()) {
    const was = before.sizes[index]
    if (was === undefined) continue
    const live = Math.round(size.liveKib - was.liveKib)
    if (live > toleratedLiveKib) complain(pid, `has ${live} KiB more of live memory`)
    const resident = Math.round(size.residentKib - was.residentKib)
    if (resident > toleratedResidentKib) complain(pid, `has ${resident} KiB more of resident memory`)
    if (size.descriptors > was.descriptors + pooled[house.name])
      complain(pid, `has ${size.descriptors} descriptors, not ${was.descriptors}`)
    if (size.handles > was.handles + 4) complain(pid, `has ${size.handles} handles, not ${was.handles}`)
    const points = samples.map(({ atMs, sizes }) => [atMs / 3_600_000, sizes[index]?.liveKib ?? 0] as const)
    const slope = points.length < 30 ? 0 : Math.round(slopeOf(points))
    if (slope > toleratedKibPerHour) complain(pid, `grows by ${slope} KiB of live memory per hour`)
  }
  return faults
}

/** Least squares. */
function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const above = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0)
  return above / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
}
