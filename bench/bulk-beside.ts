/** One stream of bytes out of a room of ours and one into it, beside a client program that does the same without us. */
import { availableParallelism } from 'node:os'
import { performance } from 'node:perf_hooks'
import { runLoad, targetFlags } from './load.ts'
import { type Figures, interleave, type Samples } from './measure.ts'
import { cpuMs, cpuMsNamed, endedChildrenMs, grownMs, machineBusyMs } from './proc.ts'
import { runFile } from './process.ts'
import { type Answer, type Bench, otherShare, ours, part, type RowSpec, rowsOf } from './question.ts'
import type { Server } from './server.ts'
import { summarize } from './stats.ts'

const rounds = 5
const peerLimitMs = 300_000
/** One piece: what a stream costs that is nothing but its start. */
const startBytes = 65_536
const warmUpBytes = 2 ** 25
const directions = ['down', 'up'] as const
type Direction = (typeof directions)[number]

export interface BulkPeer {
  readonly name: string
  /** Its command line that runs this command of a shell, with its standard input where wanted. */
  words(command: string, withInput: boolean): readonly string[]
}

export interface BulkPlan {
  readonly server: Server
  readonly peer: BulkPeer
  /** How the rows call the room: a container, a pod. */
  readonly room: string
  /** Of one stream; a multiple of 64 KiB. */
  readonly bytes: number
  /** Names of the processes that both sides need besides, with their children (at most 15 characters each). */
  readonly engine: ReadonlySet<string>
  /** Other servers for the same stream. */
  readonly others?: readonly OtherServer[]
  /** Which of them has no room behind it. */
  readonly floor?: string
}

interface OtherServer {
  readonly name: string
  readonly server: Server
  /** Where its commands are not those of a shell. */
  readonly commandOf?: CommandOf
}

type CommandOf = (direction: Direction, bytes: number) => string

/** One of those who are measured in turn. */
interface Side {
  readonly name: string
  readonly server?: Server
  /** MB/s of one stream. */
  run(direction: Direction, bytes: number): Promise<number>
}

/**
 * `dd` writes pieces of 64 KiB; `head -c` of busybox writes byte by byte and would be the bottleneck of all sides.
 * The shell stays: containerd takes the input away from a program whose output ends (`attachOutput` in its CRI plugin),
 * and `kubectl exec` would tell success after a part of the bytes.
 */
const shellCommandOf: CommandOf = (direction, bytes) =>
  direction === 'down' ? `dd if=/dev/zero bs=65536 count=${bytes / 65_536} 2>/dev/null` : 'cat >/dev/null; true'

/**
 * With the generator's own light client: the library's takes more CPU time than the daemon. A first command sees to it
 * that the connection has its room: the peer's is there as well.
 */
function overSsh(bench: Bench, server: Server, name: string, commandOf = shellCommandOf): Side {
  const flags = [...targetFlags(server), '-raw', '-first', 'true']
  return {
    name,
    server,
    async run(direction, bytes) {
      const stream = ['-bytes', `${bytes}`, '-command', commandOf(direction, bytes)]
      return (await runLoad(bench.load, direction, [...flags, ...stream], bench.signal)).mbPerSecond
    },
  }
}

/** A shell pipeline around the peer. */
function overPeer({ name, words }: BulkPeer, signal: AbortSignal): Side {
  return {
    name,
    async run(direction, bytes) {
      const line = direction === 'down' ? 'exec "$@" >/dev/null' : `head -c ${bytes} /dev/zero | "$@"`
      const command = words(shellCommandOf(direction, bytes), direction === 'up')
      const start = performance.now()
      await runFile('sh', ['-c', line, 'sh', ...command], { signal, timeout: peerLimitMs })
      return bytes / 1e6 / ((performance.now() - start) / 1000)
    },
  }
}

interface Spent {
  readonly mbPerSecond: number
  readonly engineMs: number
  readonly serverMs: number
  readonly clientMs: number
  /** The part of the machine that others used. */
  readonly otherShare: number
}

async function spend({ server, run }: Side, direction: Direction, bytes: number, plan: BulkPlan): Promise<Spent> {
  const serverNow = (): number => (server === undefined ? 0 : cpuMs(server.pid))
  const [engineBefore, serverBefore, clientBefore] = [cpuMsNamed(plan.engine), serverNow(), endedChildrenMs()]
  const [busyBefore, start] = [machineBusyMs(), performance.now()]
  const mbPerSecond = await run(direction, bytes)
  const [busyMs, wallMs] = [machineBusyMs() - busyBefore, performance.now() - start]
  const engineMs = grownMs(engineBefore, cpuMsNamed(plan.engine))
  const [serverMs, clientMs] = [serverNow() - serverBefore, endedChildrenMs() - clientBefore]
  const otherMs = Math.max(0, busyMs - engineMs - serverMs - clientMs)
  return { mbPerSecond, engineMs, serverMs, clientMs, otherShare: otherMs / (wallMs * availableParallelism()) }
}

/** Throughput, and the CPU time by who used it, s/GB, without that of the login and of the start of the program. */
async function measureSide(side: Side, direction: Direction, plan: BulkPlan): Promise<Figures> {
  const start = await spend(side, direction, startBytes, plan)
  const whole = await spend(side, direction, plan.bytes, plan)
  const perGB = (of: (spent: Spent) => number): number =>
    (of(whole) - of(start)) / 1000 / ((plan.bytes - startBytes) / 1e9)
  return {
    mbPerSecond: whole.mbPerSecond,
    engine: perGB(({ engineMs }) => engineMs),
    server: perGB(({ serverMs }) => serverMs),
    client: perGB(({ clientMs }) => clientMs),
    all: perGB(({ engineMs, serverMs, clientMs }) => engineMs + serverMs + clientMs),
    [otherShare]: whole.otherShare,
  }
}

/** In turn; the medians of the rounds, and a sentence about where the CPU time goes. */
export async function bulkBeside(bench: Bench, planned: BulkPlan): Promise<Answer> {
  const plan = bench.quick ? { ...planned, bytes: 2 ** 25 } : planned
  const { peer, room, others = [] } = plan
  const sides = [
    overSsh(bench, plan.server, ours),
    overPeer(peer, bench.signal),
    ...others.map(({ name, server, commandOf }) => overSsh(bench, server, name, commandOf)),
  ]
  const answers: Answer[] = []
  for (const [index, direction] of directions.entries()) {
    const way = direction === 'down' ? `out of ${room}` : `into ${room}`
    const inTime = part(bench, directions.length - index)
    const order = { ...bench, ...inTime, rounds: bench.quick ? 1 : rounds, warmUp: 1, progress: progressOf(bench, way) }
    const samples = await interleave(sides, order, (side, isWarmUp) =>
      measureSide(side, direction, isWarmUp ? { ...plan, bytes: Math.min(plan.bytes, warmUpBytes) } : plan),
    )
    answers.push({ rows: rowsFor(samples, peer.name, way), notes: [whereTimeGoes(samples, plan, way)] })
  }
  return { rows: answers.flatMap(({ rows }) => rows), notes: answers.flatMap(({ notes }) => notes) }
}

const progressOf =
  (bench: Bench, way: string) =>
  (text: string): void =>
    bench.progress(`${way}, ${text}`)

/** The target is for the peer alone. */
function rowsFor(samples: Samples, peer: string, way: string) {
  const throughput: RowSpec = { figure: 'mbPerSecond', label: `throughput ${way}`, unit: 'MB/s', better: 'higher' }
  const only = (isWanted: (name: string) => boolean): Samples =>
    new Map([...samples].filter(([name]) => name === ours || isWanted(name)))
  const others = only((name) => name !== peer)
  return [
    ...rowsOf(
      only((name) => name === peer),
      [
        { ...throughput, target: 0.9 },
        { figure: 'all', label: `CPU of all processes ${way}`, unit: 's/GB' },
      ],
    ),
    ...(others.size > 1 ? rowsOf(others, [throughput]) : []),
  ]
}

/** Where all cores are busy the CPU time of all processes decides. A room that costs nothing still has its program. */
function whereTimeGoes(samples: Samples, { peer, floor }: BulkPlan, way: string): string {
  const of = (side: string, figure: string): number => summarize(samples.get(side)?.get(figure) ?? []).median
  const parts = [...samples.keys()].map((side) => {
    const [engine, server, client] = ['engine', 'server', 'client'].map((part) => of(side, part).toFixed(2))
    return `${side}: engine and program ${engine}, server ${server}, client ${client}`
  })
  const program = of(ours, 'engine')
  const ratio = (side: string): string =>
    ((of(peer.name, 'engine') + of(peer.name, 'client')) / (program + of(side, 'server') + of(side, 'client'))).toFixed(
      2,
    )
  const best = floor === undefined ? '' : `, and ${ratio(floor)} if the room cost us nothing`
  return `CPU time ${way}, s/GB: ${parts.join('; ')}. Where all cores are busy the ratio is ${ratio(ours)}${best}.`
}
