/**
 * The audit log in a storm: sessions that write all the time, workers killed at random, and in the end the daemon. Every log
 * must be readable, and hold what its client has received.
 */
import { randomInt } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import ssh2 from 'ssh2'
import { makeCredentials } from '../../bench/credentials.ts'
import { startWith } from '../../bench/ours.ts'
import { children, until } from '../rigs/daemon.ts'
import { contentsOf } from '../shared/audit/rig.ts'

export interface StormOptions {
  readonly sessions: number
  readonly seconds: number
  /** What a client has received so long before its server died must be in its log. */
  readonly mostLostMs: number
  say(line: string): void
}
export interface StormResult {
  readonly faults: readonly string[]
  readonly kills: number
  readonly logs: number
  /** How old the oldest byte was that a client had and its log has not. */
  readonly lostMs: number
}

const workers = 3
const everyMs = 20
/** So that each death has one kill. */
const pauseMs = [1000, 3000] as const

/** One session, and what its client saw of it. */
interface Seen {
  readonly token: string
  readonly chunks: { readonly at: number; readonly bytes: Buffer }[]
  /** Of `performance.now()`; undefined: it lives. */
  endedAt: number | undefined
}

interface Sessions {
  readonly all: readonly Seen[]
  /** No session that ends has a successor. */
  stop(): void
  /** Those that live and have received something. */
  running(): number
  ended(): Promise<unknown>
}

export async function auditStorm({ sessions, seconds, mostLostMs, say }: StormOptions): Promise<StormResult> {
  using credentials = await makeCredentials()
  const directory = join(credentials.directory, 'audit')
  mkdirSync(directory)
  const audit = { enable: true, format: 'binary', storage: 'file', file: { directory }, intercept: { stdout: true } }
  const config = { audit: { ...audit, lowDiskBytes: 0 }, workers, log: { level: 'info' } }
  const start = startWith({ backend: 'bench', config })
  await using server = await start(credentials, new AbortController().signal)
  const started = (): number =>
    readFileSync(join(credentials.directory, 'ours.log'), 'utf8').split('WORKER_STARTED').length
  await until('all workers', () => started() > workers, 60_000)
  const storm = startSessions(sessions, Number(server.address.split(':')[1]), credentials)
  await until('all sessions', () => storm.running() === sessions, 60_000)
  const kills: number[] = []
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    await sleep(randomInt(...pauseMs))
    const pids = children(server.pid)
    // The fleet takes its time to replace workers that die again and again.
    const pid = pids.length < 2 ? undefined : pids[randomInt(pids.length)]
    if (pid === undefined) continue
    kills.push(performance.now())
    process.kill(pid, 'SIGKILL')
    say(`worker killed, ${storm.running()} of ${sessions} sessions were running`)
  }
  await until('all sessions again', () => storm.running() === sessions, 120_000)
  await sleep(randomInt(...pauseMs))
  storm.stop()
  const orphans = children(server.pid)
  kills.push(performance.now())
  process.kill(server.pid, 'SIGKILL')
  await storm.ended()
  await until('the orphans to end', () => orphans.every((pid) => !isAlive(pid)), 60_000)
  return { ...(await compare(storm.all, kills, directory, mostLostMs)), kills: kills.length }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function startSessions(count: number, port: number, { user, keyFile }: { user: string; keyFile: string }): Sessions {
  const all: Seen[] = []
  const options = { host: '127.0.0.1', port, username: user, privateKey: readFileSync(keyFile), readyTimeout: 60_000 }
  let isStopping = false
  const live = async (index: number): Promise<void> => {
    for (let turn = 0; !isStopping; turn++) {
      const seen: Seen = { token: `s${index}-${turn}`, chunks: [], endedAt: undefined }
      all.push(seen)
      await one(options, seen)
      // Whoever is refused while there is no worker tries again, not at once.
      await sleep(randomInt(50, 200))
    }
  }
  const lives = Array.from({ length: count }, (_, index) => live(index))
  return {
    all,
    stop() {
      isStopping = true
    },
    running: () => all.filter(({ endedAt, chunks }) => endedAt === undefined && chunks.length > 0).length,
    ended: () => Promise.all(lives),
  }
}

/** Resolves when the connection is over. */
async function one(options: ssh2.ConnectConfig, seen: Seen): Promise<void> {
  const client = new ssh2.Client()
  const closed = new Promise<void>((resolve) => client.on('close', () => resolve()))
  client.on('error', () => undefined)
  client.on('ready', () =>
    client.exec(`tick ${seen.token} ${everyMs}`, (error, channel) => {
      if (error !== undefined) return
      channel.on('data', (bytes: Buffer) => seen.chunks.push({ at: performance.now(), bytes }))
    }),
  )
  client.connect(options)
  await closed
  seen.endedAt = performance.now()
}

async function compare(all: readonly Seen[], kills: readonly number[], directory: string, mostLostMs: number) {
  const faults: string[] = []
  const outputs = new Map<string, { readonly output: Buffer; readonly last: string }>()
  const names = readdirSync(directory)
  for (const name of names) {
    const { records, problems } = await contentsOf(readFileSync(join(directory, name)))
    // One that was made just before the end is empty.
    for (const { kind, found } of problems) if (kind !== 'empty') faults.push(`${name}: ${kind}: ${found}`)
    const program = records.flatMap((each) => (each.type === 'exec' ? [each.payload.program] : []))[0]
    const io = records.flatMap((each) => (each.type === 'io' ? [each.payload.data ?? new Uint8Array(0)] : []))
    const token = program?.split(' ')[1] ?? name
    outputs.set(token, { output: Buffer.concat(io), last: records.at(-1)?.type ?? 'nothing' })
  }
  let lostMs = 0
  const lastKill = kills.at(-1) ?? 0
  for (const { token, chunks, endedAt = 0 } of all) {
    if (chunks.length === 0) continue
    const diedAt = kills.findLast((kill) => kill <= endedAt) ?? endedAt
    const found = outputs.get(token)
    const received = Buffer.concat(chunks.map(({ bytes }) => bytes))
    const common = Math.min(found?.output.length ?? 0, received.length)
    if (found !== undefined && !found.output.subarray(0, common).equals(received.subarray(0, common))) {
      faults.push(`${token}: the log has something else than its client received`)
    }
    if (diedAt < lastKill && found?.last !== 'disconnect') faults.push(`${token}: the log ends with ${found?.last}`)
    const first = firstAfter(chunks, common)
    const ageMs = first === undefined ? 0 : diedAt - first
    lostMs = Math.max(lostMs, ageMs)
    if (ageMs > mostLostMs) faults.push(`${token}: lost what its client had for ${Math.round(ageMs)} ms`)
  }
  return { faults, logs: names.length, lostMs }
}

/** When the byte behind the first `count` came. */
function firstAfter(chunks: Seen['chunks'], count: number): number | undefined {
  let total = 0
  for (const { at, bytes } of chunks) {
    total += bytes.length
    if (total > count) return at
  }
  return undefined
}
