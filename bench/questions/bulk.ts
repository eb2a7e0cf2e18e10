import { runLoad, targetFlags } from '../load.ts'
import { costOf, type Figures, interleave } from '../measure.ts'
import { type Bench, otherShare, type Question, type Row, rowsOf, withServers } from '../question.ts'
import type { Server } from '../server.ts'

interface Cipher {
  readonly name: string
  readonly flags: readonly string[]
  readonly target?: number
}
const ciphers: readonly Cipher[] = [
  { name: 'aes128-gcm', flags: ['-cipher', 'aes128-gcm@openssh.com'], target: 0.7 },
  { name: 'chacha20-poly1305', flags: ['-cipher', 'chacha20-poly1305@openssh.com'], target: 0.7 },
  { name: 'aes256-ctr, hmac-sha2-256-etm', flags: ['-cipher', 'aes256-ctr', '-mac', 'hmac-sha2-256-etm@openssh.com'] },
]
const directions = ['down', 'up'] as const
type Direction = (typeof directions)[number]

async function measure(bench: Bench, server: Server, cipher: Cipher, direction: Direction): Promise<Figures> {
  const bytes = bench.quick ? 2 ** 27 : 2 ** 29
  const command = direction === 'down' ? server.commands.source : server.commands.sink
  const flags = [...targetFlags(server), ...cipher.flags, '-bytes', `${bytes}`, '-command', command]
  const cost = await costOf(server, bench.signal, () => runLoad(bench.load, direction, flags, bench.signal))
  return {
    cpuSecondsPerGB: cost.serverCpuMs / 1000 / (bytes / 1e9),
    mbPerSecond: cost.result.mbPerSecond,
    [otherShare]: cost.otherShare,
  }
}

export const bulk: Question = {
  name: 'bulk',
  title: 'Bulk bytes',
  about:
    'One stream of 512 MiB on one connection. On sshd the bytes come from `head -c` and go to `cat`, whose CPU time counts as ' +
    "the server's: they are its null path. The throughput is often the generator's limit; the CPU time is the server's own.",
  run: (bench) =>
    withServers(bench, async (servers) => {
      const rows: Row[] = []
      for (const direction of directions) {
        for (const cipher of ciphers) {
          const rounds = {
            ...bench,
            rounds: bench.quick ? 2 : 5,
            warmUp: 1,
            progress: (text: string) => bench.progress(`${direction} ${cipher.name} ${text}`),
          }
          const samples = await interleave(servers, rounds, (server) => measure(bench, server, cipher, direction))
          const target = cipher.target === undefined ? {} : { target: cipher.target }
          const label = `${direction}, ${cipher.name}`
          rows.push(
            ...rowsOf(samples, [
              { figure: 'cpuSecondsPerGB', label: `server CPU ${label}`, unit: 's/GB', ...target },
              { figure: 'mbPerSecond', label: `throughput ${label}`, unit: 'MB/s', better: 'higher' },
            ]),
          )
        }
      }
      return { rows, notes: [] }
    }),
}
