import { runLoad, targetFlags } from '../load.ts'
import { costOf, type Figures, interleave, judgedRounds } from '../measure.ts'
import {
  amount,
  type Bench,
  otherShare,
  ours,
  part,
  type Question,
  type Row,
  rowsOf,
  withServers,
} from '../question.ts'
import type { Server } from '../server.ts'

const target = 0.6

interface Scene {
  readonly label: string
  readonly flags: readonly string[]
  readonly streams: number
  /** Of each stream. */
  readonly bytes: number
}
const gcm = ['-cipher', 'aes128-gcm@openssh.com']
const scenes: readonly Scene[] = [
  { label: 'aes128-gcm', streams: 1, bytes: 2 ** 28, flags: gcm },
  { label: 'chacha20-poly1305', streams: 1, bytes: 2 ** 26, flags: ['-cipher', 'chacha20-poly1305@openssh.com'] },
  {
    label: 'aes256-ctr, hmac-sha2-256-etm',
    streams: 1,
    bytes: 2 ** 26,
    flags: ['-cipher', 'aes256-ctr', '-mac', 'hmac-sha2-256-etm@openssh.com'],
  },
  { label: 'aes128-gcm, 8 streams', streams: 8, bytes: 2 ** 25, flags: gcm },
]
const directions = ['down', 'up'] as const
type Direction = (typeof directions)[number]

async function measure(
  bench: Bench,
  server: Server,
  scene: Scene,
  direction: Direction,
  isWarmUp: boolean,
): Promise<Figures> {
  // What is compiled while it runs has to be compiled before; sshd is a new process each time.
  const bytes = amount(bench, scene.bytes, isWarmUp && server.name !== ours)
  const command = direction === 'down' ? server.commands.source : server.commands.sink
  const flags = [...targetFlags(server), ...scene.flags, '-streams', `${scene.streams}`]
  const work = ['-bytes', `${bytes}`, '-command', command]
  const cost = await costOf(server, bench.signal, () =>
    runLoad(bench.load, direction, [...flags, ...work], bench.signal),
  )
  return {
    cpuSecondsPerGB: cost.serverCpuMs / 1000 / (cost.result.bytes / 1e9),
    mbPerSecond: cost.result.mbPerSecond,
    [otherShare]: cost.otherShare,
  }
}

export const bulk: Question = {
  name: 'bulk',
  title: 'Bulk bytes',
  seconds: 52,
  about:
    '256 MiB in one stream on one connection, 64 MiB where the cipher is slow, or 32 MiB in each of 8 streams on 8 connections, ' +
    'whose logins are in the CPU time: of sshd 0.3 s/GB. On sshd the bytes come from `head -c` and go to ' +
    "`cat`, whose CPU time counts as the server's: they are its null path. The throughput is often the generator's limit; the " +
    "CPU time is the server's own.",
  run: (bench) =>
    withServers(bench, async (servers) => {
      const rows: Row[] = []
      let left = directions.length * scenes.length
      for (const direction of directions) {
        for (const scene of scenes) {
          const rounds = {
            ...bench,
            ...part(bench, left--),
            rounds: bench.quick ? 2 : judgedRounds,
            least: judgedRounds,
            warmUp: bench.quick ? 1 : 2,
            progress: (text: string) => bench.progress(`${direction} ${scene.label} ${text}`),
          }
          const samples = await interleave(servers, rounds, (server, isWarmUp) =>
            measure(bench, server, scene, direction, isWarmUp),
          )
          const label = `${direction}, ${scene.label}`
          rows.push(
            ...rowsOf(samples, [
              { figure: 'cpuSecondsPerGB', label: `server CPU ${label}`, unit: 's/GB', target },
              { figure: 'mbPerSecond', label: `throughput ${label}`, unit: 'MB/s', better: 'higher' },
            ]),
          )
        }
      }
      return { rows, notes: [] }
    }),
}
