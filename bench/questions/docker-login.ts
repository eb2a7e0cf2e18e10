/** `ssh host true` from the connection to the exit status, each with a container of its own. */
import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BareEngine, bareEngine, dockerConfig, dockerPeer } from '../engine.ts'
import { runLoad, targetFlags } from '../load.ts'
import { judgedRounds, turns } from '../measure.ts'
import { startWith } from '../ours.ts'
import { type Answer, type Bench, orNote, part, type Question, rowsOf } from '../question.ts'
import { note, type Sides, timed } from '../samples.ts'
import type { Server } from '../server.ts'
import { summarize } from '../stats.ts'
import { until } from '../until.ts'

/** A login takes its time, and the engine has to come to rest after it. */
const loginsPerRound = 2
/** As many as the pool has ready; both workers have the same part of it. */
const burst = 50
/** Nothing has been made or removed for so long: then the engine can be asked. */
const restMs = 200
const betweenMs = 100
const theirs = 'sshd + docker exec'

/** A daemon whose containers can be told from those of others, and its sides of the table. */
interface Ours {
  readonly server: Server
  /** Waits until the engine is quiet: so many containers that run, and none in the making or about to be removed. */
  settled(count: number): Promise<void>
}

/** A container that is listed may not have been started yet, and its removal may not have begun. */
async function settled({ signal }: Bench, bare: BareEngine, label: string, count: number): Promise<void> {
  let before: string | undefined
  const isAtRest = async (): Promise<boolean> => {
    const containers = await bare.containers(label)
    const now = containers.map(({ Id, State }) => `${Id} ${State}`).join()
    const isSame = now === before
    before = now
    return isSame && containers.length === count && containers.every(({ State }) => State === 'running')
  }
  await until(`${count} containers`, signal, isAtRest, restMs)
}

async function startOurs(bench: Bench, bare: BareEngine, pool: object, stack: AsyncDisposableStack): Promise<Ours> {
  const label = `containerssh-bench=${randomBytes(6).toString('hex')}`
  const [name = '', value = ''] = label.split('=')
  const config = dockerConfig(bare, { pool }, { [name]: value })
  const start = startWith({ backend: 'docker', config: { ...config, workers: 2 } })
  const server = stack.use(await start(bench.credentials, bench.signal))
  return {
    server,
    settled: (count) => settled(bench, bare, label, count),
  }
}

async function login(bench: Bench, server: Server, count = 1, parallel = 1) {
  const flags = [...targetFlags(server), '-command', 'true', '-reconnect']
  const counts = ['-count', `${count}`, '-parallel', `${parallel}`]
  const { latencyUs } = await runLoad(bench.load, 'exec', [...flags, ...counts], bench.signal)
  return { p50: latencyUs.p50 / 1000, p99: latencyUs.p99 / 1000, max: latencyUs.max / 1000 }
}

async function measure(bench: Bench, bare: BareEngine): Promise<Answer> {
  await using stack = new AsyncDisposableStack()
  stack.defer(() => bare.sweep())
  const cold = await startOurs(bench, bare, {}, stack)
  const container = await bare.create()
  const peer = await dockerPeer(bench, bare, `exec ${container} /bin/sh -c true`)
  if (peer !== undefined) stack.use(peer)
  const sides: Sides = new Map()
  await madeAhead(bench, bare, { cold, peer, container }, sides)
  // The engine is at rest again: what was ready has gone, and nothing takes its place.
  await atOnce(bench, cold, sides)
  const amounts = `${sides.get('ours')?.get('cold')?.length} rounds of ${loginsPerRound} logins one after the other; ${burst} at once in one round.`
  return {
    rows: rowsOf(sides, rows),
    notes: [amounts, ...(peer === undefined ? ['Without sshd: it needs root and the docker program.'] : [])],
  }
}

/** One after the other, then many at once: with a daemon whose containers are made ahead. It ends with them. */
async function madeAhead(bench: Bench, bare: BareEngine, ways: Ways, sides: Sides): Promise<void> {
  await using stack = new AsyncDisposableStack()
  bench.progress(`${burst} containers`)
  const warm = await startOurs(bench, bare, { min: burst }, stack)
  await oneByOne(bench, bare, warm, ways, sides)
  const start = performance.now()
  bench.progress(`${burst} at once`)
  await Promise.all([warm.settled(burst), ways.cold.settled(0)])
  const all = Array.from({ length: burst })
  const floor = await Promise.all(all.map(() => timed(() => bare.exec(ways.container))))
  await sleep(restMs)
  const other = ways.peer === undefined ? undefined : await login(bench, ways.peer, burst, burst)
  await sleep(restMs)
  const mine = await login(bench, warm.server, burst, burst)
  bench.clock.spent('rounds', start, performance.now())
  noteBurst(sides, 'ours', 'burstWarm', mine.p50, mine.max)
  noteBurst(sides, 'exec', 'burstWarm', summarize(floor).median, Math.max(...floor))
  if (other === undefined) return
  for (const name of ['burstWarm', 'burstCold']) noteBurst(sides, theirs, name, other.p50, other.max)
}

/** With a daemon that makes each container when somebody logs in. */
async function atOnce(bench: Bench, cold: Ours, sides: Sides): Promise<void> {
  const start = performance.now()
  bench.progress(`${burst} at once, new containers`)
  const fresh = await login(bench, cold.server, burst, burst)
  bench.clock.spent('rounds', start, performance.now())
  noteBurst(sides, 'ours', 'burstCold', fresh.p50, fresh.max)
}

function noteBurst(sides: Sides, side: string, name: string, p50: number, last: number): void {
  note(sides, side, name, p50)
  note(sides, side, `${name}Last`, last)
}

async function oneByOne(
  bench: Bench,
  bare: BareEngine,
  warm: Ours,
  { cold, peer, container }: Ways,
  sides: Sides,
): Promise<void> {
  // In turn, so that what disturbs the machine disturbs all of them.
  const tries: readonly (readonly [string, string, () => Promise<number>])[] = [
    ['ours', 'cold', async () => (await login(bench, cold.server)).p50],
    ['exec', 'warm', () => timed(() => bare.exec(container))],
    ...(peer === undefined ? [] : [[theirs, 'warm', async () => (await login(bench, peer)).p50] as const]),
    ['ours', 'warm', async () => (await login(bench, warm.server)).p50],
  ]
  // The rest of the time is for many at once.
  const rounds = { rounds: bench.quick ? 1 : judgedRounds, least: judgedRounds, warmUp: 1 }
  for (const round of turns({ ...bench, ...part(bench, 2), ...rounds })) {
    bench.progress(round < 0 ? 'warm-up' : `round ${round + 1}`)
    const taken = tries.map((): number[] => [])
    for (let run = 0; run < (round < 0 ? 1 : loginsPerRound); run++) {
      await Promise.all([warm.settled(burst), cold.settled(0)])
      for (const [index, [, , task]] of tries.entries()) {
        await sleep(betweenMs)
        taken[index]?.push(await task())
      }
    }
    if (round < 0) continue
    for (const [index, [side, figure]] of tries.entries()) {
      note(sides, side, figure, summarize(taken[index] ?? []).median)
      note(sides, side, `${figure}Last`, Math.max(...(taken[index] ?? [])))
    }
  }
}

const rows = [
  { figure: 'warm', label: 'p50, container made ahead', unit: 'ms', target: 0.5, against: theirs },
  { figure: 'warmLast', label: `slowest of ${loginsPerRound}, container made ahead`, unit: 'ms' },
  { figure: 'cold', label: 'p50, new container', unit: 'ms' },
  { figure: 'coldLast', label: `slowest of ${loginsPerRound}, new container`, unit: 'ms' },
  { figure: 'burstWarm', label: `p50 of ${burst} at once, made ahead`, unit: 'ms' },
  { figure: 'burstWarmLast', label: `last of ${burst} at once, made ahead`, unit: 'ms' },
  { figure: 'burstCold', label: `p50 of ${burst} at once, new containers`, unit: 'ms' },
  { figure: 'burstColdLast', label: `last of ${burst} at once, new containers`, unit: 'ms' },
]

/** Who is asked, besides the daemon with a pool. */
interface Ways {
  readonly cold: Ours
  readonly peer: Server | undefined
  readonly container: string
}

export const dockerLogin: Question = {
  name: 'docker-login',
  title: 'Login to a container',
  seconds: 72,
  needs: 'a Docker engine; its client program and root for the rows of sshd',
  prepare: bareEngine,
  about:
    '`ssh host true` from the connection to the exit status, with a new connection and a container of its own each, made ' +
    'ahead or not; beside the bare Engine API on a container that runs already (exec create, start, inspect) and beside ' +
    'sshd with `docker exec` into one that runs already as the forced command. One after the other on an engine at rest.',
  run: (bench) => orNote(bench, bareEngine, measure),
}
