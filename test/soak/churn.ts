/**
 * Logins by the hundred to containers that are made ahead and to new ones, while clients are killed at any moment, workers
 * are killed, and the engine is killed or stopped and started again. Afterwards nothing may be left over: no container,
 * no exec, no descriptor, no memory. (What an engine forgets that is killed while it starts a container, a process of its
 * own that nobody can ask it about, is not counted.)
 */
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../rigs/daemon.ts'
import { call } from '../rigs/docker.ts'
import { type PrivateEngine, privateEngine } from '../rigs/private-engine.ts'
import { RawClient } from '../rigs/raw/client.ts'
import { exec, loginWithKey, run, session } from '../rigs/raw/login.ts'
import { type House, type Size, startHouse } from './house.ts'

export interface ChurnOptions {
  readonly cycles: number
  readonly say: (line: string) => void
}

const workers = 2
const ready = 2
const clients = 3
/** Logins may fail for so long after something was killed. */
const shockMs = 15_000
const settleMs = 120_000
const limitMs = 60_000
/** Connections to the engine are kept for the next request; the stream of events. */
const toleratedDescriptors = 12
const toleratedLiveKib = 8 * 1024

/** Gives what is wrong; a sentence each. */
export async function churn({ cycles, say }: ChurnOptions): Promise<string[]> {
  await using engine = await privateEngine()
  const signal = AbortSignal.timeout(300_000 + cycles * 10_000)
  await using house = await startHouse('docker', signal, {
    workers,
    host: engine.host,
    hostConfig: { NetworkMode: 'none' },
    docker: { pool: { min: ready, max: ready + 2, idleLife: '1s' } },
  })
  const faults: string[] = []
  let shockedUntil = 0
  let done = 0

  const one = async (): Promise<void> => {
    const begun = performance.now()
    const name = randomInt(10) < 6 ? 'well' : 'killed'
    try {
      await (name === 'well' ? well(house) : killed(house))
    } catch (error) {
      const isShocked = begun < shockedUntil || performance.now() < shockedUntil
      if (!isShocked) faults.push(`a client that was ${name} failed: ${error instanceof Error ? error.message : error}`)
    }
    done += 1
  }
  const crowd = async (count: number): Promise<void> => {
    let left = count
    const next = async (): Promise<void> => {
      while (left > 0 && faults.length < 10) {
        left -= 1
        await one()
      }
    }
    await Promise.all(Array.from({ length: clients }, next))
  }
  const disasters = disastersOf(house, engine)
  const rounds = Math.max(4, Math.round(cycles / 25))

  await crowd(6)
  const before = await settled(house, engine)
  say(`level: ${describe(before)}`)
  for (let round = 0; round < rounds; round++) {
    const disaster = disasters[round % disasters.length]
    const logins = crowd(Math.ceil(cycles / rounds))
    await sleep(randomInt(1500))
    shockedUntil = Number.POSITIVE_INFINITY
    await disaster?.strike()
    shockedUntil = performance.now() + shockMs
    await logins
    say(`${done} logins, ${disaster?.name}`)
  }
  const after = await settled(house, engine).catch((error: Error) => {
    faults.push(error.message)
    return undefined
  })
  if (after !== undefined) {
    say(`level: ${describe(after)}`)
    faults.push(...compare(before.sizes, after.sizes))
  }
  return faults
}

async function well(house: House): Promise<void> {
  await connected(house, async (client) => {
    await loginWithKey(client, house.user, house.key)
    const status = await run(client, 'true')
    if (status !== 0) throw new Error(`true gave ${status}`)
  })
}

/** At any stage of its life. */
async function killed(house: House): Promise<void> {
  await connected(house, async (client) => {
    const life = async (): Promise<void> => {
      await loginWithKey(client, house.user, house.key)
      client.send(exec(await session(client), 'cat /dev/zero'))
    }
    const end = life().catch(() => undefined)
    await sleep(randomInt(600))
    client.socket.resetAndDestroy()
    await end
  })
}

async function connected(house: House, task: (client: RawClient) => Promise<void>): Promise<void> {
  const client = await RawClient.connect(house.port)
  const limit = setTimeout(() => client.socket.destroy(new Error('no end')), limitMs)
  try {
    await task(client)
  } finally {
    clearTimeout(limit)
    client.socket.destroy()
  }
}

interface Disaster {
  readonly name: string
  strike(): Promise<void>
}

const disastersOf = (house: House, engine: PrivateEngine): readonly Disaster[] => [
  {
    name: 'a worker was killed',
    async strike() {
      const pids = house.workers()
      process.kill(pids[randomInt(pids.length)] ?? 0, 'SIGKILL')
    },
  },
  {
    name: 'the engine was killed and started again',
    async strike() {
      await engine.kill()
      await sleep(randomInt(1000))
      await engine.start()
    },
  },
  {
    name: 'a worker was killed while the engine was away',
    async strike() {
      await engine.kill()
      const pids = house.workers()
      process.kill(pids[randomInt(pids.length)] ?? 0, 'SIGKILL')
      await engine.start()
    },
  },
  {
    name: 'the engine was stopped and started again',
    async strike() {
      await engine.stop()
      await engine.start()
    },
  },
]

interface Level {
  readonly sizes: readonly Size[]
}

const describe = ({ sizes }: Level): string =>
  sizes
    .map(({ pid, liveKib, descriptors }) => `${pid}: ${(liveKib / 1024).toFixed(1)} MiB live, ${descriptors} fd`)
    .join('  ')

/** Nobody is connected: what is left are the containers that are made ahead, and nothing runs in them. */
async function settled(house: House, engine: PrivateEngine): Promise<Level> {
  let seen = ''
  const isSettled = async (): Promise<boolean> => {
    const pool = await engine.containers('containerssh_pool')
    const all = await engine.containers('')
    const execs = (await Promise.all(pool.map((id) => execsOf(engine, id)))).flat()
    seen = `${all.length} containers, ${pool.length} of them made ahead, ${execs.length} execs, ${house.workers().length} workers`
    const isEmpty = all.length === ready && pool.length === ready && execs.length === 0
    return isEmpty && house.workers().length === workers
  }
  try {
    await until('a level', isSettled, settleMs)
  } catch (cause) {
    throw new Error(`still ${seen}; expected ${ready} containers made ahead`, { cause })
  }
  return { sizes: await house.sizes() }
}

async function execsOf({ socketPath }: PrivateEngine, id: string): Promise<readonly string[]> {
  const { body } = await call(socketPath, 'GET', `/containers/${id}/json`)
  return (JSON.parse(body) as { ExecIDs?: string[] | null }).ExecIDs ?? []
}

/** The primary is the same one; of workers any may have been replaced. */
function compare(before: readonly Size[], after: readonly Size[]): string[] {
  const most = (sizes: readonly Size[], of: 'liveKib' | 'descriptors'): number =>
    Math.max(...sizes.map((size) => size[of]))
  const wrong: string[] = []
  for (const [who, was, is] of [
    ['the primary', before.slice(0, 1), after.slice(0, 1)],
    ['a worker', before.slice(1), after.slice(1)],
  ] as const) {
    const descriptors = most(is, 'descriptors') - most(was, 'descriptors')
    if (descriptors > toleratedDescriptors) wrong.push(`${who} has ${descriptors} descriptors more`)
    const live = Math.round(most(is, 'liveKib') - most(was, 'liveKib'))
    if (live > toleratedLiveKib) wrong.push(`${who} has ${live} KiB more of live memory`)
  }
  return wrong
}
