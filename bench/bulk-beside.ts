/** One stream of bytes out of a room of ours and one into it, beside a client program that does the same without us. */
import { performance } from 'node:perf_hooks'
import { runLoad, targetFlags } from './load.ts'
import { costOf } from './measure.ts'
import { runFile } from './process.ts'
import { type Bench, type Row, type RowSpec, rowsOf } from './question.ts'
import { note, type Sides } from './samples.ts'
import type { Server } from './server.ts'

const rounds = 5
const peerLimitMs = 300_000
const directions = ['down', 'up'] as const
type Direction = (typeof directions)[number]

export interface BulkPeer {
  readonly name: string
  /** Its command line that runs this command of a shell, with its standard input where wanted. */
  words(command: string, withInput: boolean): readonly string[]
}

/**
 * The shell stays: containerd takes the input away from a program whose output ends (`attachOutput` in its CRI plugin),
 * and `kubectl exec` would tell success after a part of the bytes.
 */
const commandOf = (direction: Direction, bytes: number): string =>
  direction === 'down' ? `head -c ${bytes} /dev/zero` : 'cat >/dev/null; true'

interface PeerCost {
  readonly mbPerSecond: number
  /** Of the client program. */
  readonly cpuSeconds: number
}

/** A shell pipeline around the peer. */
async function overPeer(
  direction: Direction,
  { words }: BulkPeer,
  bytes: number,
  signal: AbortSignal,
): Promise<PeerCost> {
  const line = direction === 'down' ? '"$@" >/dev/null' : `head -c ${bytes} /dev/zero | "$@"`
  const command = words(commandOf(direction, bytes), direction === 'up')
  const start = performance.now()
  // `times` prints user and system time, of the shell and, in the second line, of its children.
  const args = ['-c', `${line} || exit; times`, 'sh', ...command]
  const { stdout } = await runFile('sh', args, { signal, timeout: peerLimitMs })
  const seconds = (performance.now() - start) / 1000
  const [, children = ''] = stdout.trim().split('\n')
  const parts = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, minutes, rest]) => Number(minutes) * 60 + Number(rest),
  )
  return { mbPerSecond: bytes / 1e6 / seconds, cpuSeconds: parts.reduce((sum, part) => sum + part, 0) }
}

/** In turn, the median of the rounds. `room` is how the rows call it: a container, a pod. */
export async function bulkBeside(
  bench: Bench,
  server: Server,
  peer: BulkPeer,
  room: string,
  most: number,
): Promise<Row[]> {
  const bytes = bench.quick ? 2 ** 26 : most
  const sides: Sides = new Map([
    ['ours', new Map()],
    [peer.name, new Map()],
  ])
  for (let round = -1; round < (bench.quick ? 1 : rounds); round++) {
    for (const direction of directions) {
      bench.progress(`${direction} ${round < 0 ? 'warm-up' : `round ${round + 1}`}`)
      const flags = [...targetFlags(server), '-cipher', 'aes128-gcm@openssh.com', '-bytes', `${bytes}`]
      const command = ['-command', commandOf(direction, bytes)]
      const { result, serverCpuMs } = await costOf(server, bench.signal, () =>
        runLoad(bench.load, direction, [...flags, ...command], bench.signal),
      )
      const theirs = await overPeer(direction, peer, bytes, bench.signal)
      if (round < 0) continue
      note(sides, 'ours', direction, result.mbPerSecond)
      note(sides, 'ours', `${direction}Cpu`, serverCpuMs / 1000 / (bytes / 1e9))
      note(sides, peer.name, direction, theirs.mbPerSecond)
      note(sides, peer.name, `${direction}Cpu`, theirs.cpuSeconds / (bytes / 1e9))
    }
  }
  return rowsOf(sides, specsOf(room))
}

const specsOf = (room: string): readonly RowSpec[] => [
  { figure: 'down', label: `throughput out of ${room}`, unit: 'MB/s', better: 'higher', target: 0.9 },
  { figure: 'up', label: `throughput into ${room}`, unit: 'MB/s', better: 'higher', target: 0.9 },
  { figure: 'downCpu', label: `CPU of daemon or client, out of ${room}`, unit: 's/GB' },
  { figure: 'upCpu', label: `CPU of daemon or client, into ${room}`, unit: 's/GB' },
]
