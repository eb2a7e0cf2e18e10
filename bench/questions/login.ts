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
import type { Method, Server } from '../server.ts'
import { type Batches, untilSteady } from '../steady.ts'

/**
 * Sshd takes thirty times as long. Ours serves for two seconds a round: what it has left to do after the last login, timers
 * and collections, is little beside that.
 */
const counts: Readonly<Record<string, number>> = { ours: 1500, sshd: 32 }
const batches: Batches = { logins: 1500, most: 6 }
const parallel = 8
const methods = ['key', 'password'] as const

export interface Logins {
  readonly method: Method
  readonly count: number
  /** Then fewer of them. */
  readonly isWarmUp?: boolean
  readonly kex?: string
  readonly hostKey?: string
}

/** By the process of the server. */
const served = new Map<number, number>()
/** Logins that it has served by this question and by those that measure its logins too. */
export const servedBy = ({ pid }: Server): number => served.get(pid) ?? 0

/** Figures `cpuMs`, `perSecond`, `p50`, `p99`. */
export async function measureLogins(bench: Bench, server: Server, logins: Logins): Promise<Figures> {
  const { method, kex = 'curve25519-sha256', hostKey = 'ssh-ed25519', isWarmUp } = logins
  const count = amount(bench, logins.count, isWarmUp)
  const flags = [...targetFlags(server, method), '-count', `${count}`, '-parallel', `${parallel}`]
  flags.push('-kex', kex, '-hostkey', hostKey)
  const cost = await costOf(server, bench.signal, () => runLoad(bench.load, 'login', flags, bench.signal))
  served.set(server.pid, servedBy(server) + count)
  return {
    cpuMs: cost.serverCpuMs / count,
    perSecond: cost.result.perSecond,
    p50: cost.result.latencyUs.p50 / 1000,
    p99: cost.result.latencyUs.p99 / 1000,
    [otherShare]: cost.otherShare,
  }
}

/** Serves logins of this kind until they cost the same. */
export async function warmUpLogins(
  bench: Bench,
  server: Server,
  logins: Omit<Logins, 'count' | 'isWarmUp'>,
  { logins: count, most }: Batches,
): Promise<void> {
  const inTime = bench.quick ? { logins: count / 5, most: 2 } : { logins: count, most }
  await untilSteady(bench, inTime, async (count) => {
    bench.progress(`${server.name} warm-up, ${count} logins`)
    // The amount of a quick run is in it already.
    const { cpuMs } = await measureLogins({ ...bench, quick: false }, server, { ...logins, count })
    return cpuMs ?? Number.NaN
  })
}

export const login: Question = {
  name: 'login',
  title: 'Handshake and login',
  seconds: 41,
  about:
    'TCP connect, curve25519 key exchange, ed25519 host key, authentication, one global request and its reply; 8 at a time, ' +
    'each on a new connection. sshd checks the password against SHA-512-crypt each time; we against argon2id the first time, and ' +
    `recognise it by a keyed digest from then on. Before the first round of each kind our daemon serves batches of ${batches.logins} such ` +
    `logins until two in a row cost the same within 5 %, ${batches.most} at most; sshd starts a new process for each login.`,
  run: (bench) =>
    withServers(bench, async (servers) => {
      const rows: Row[] = []
      const notes: string[] = []
      for (const [index, method] of methods.entries()) {
        const how = method === 'key' ? 'ed25519 key' : 'password'
        const mine = servers.find(({ name }) => name === ours)
        if (mine !== undefined) {
          await warmUpLogins(bench, mine, { method }, batches)
          notes.push(`${how}: our daemon had served ${servedBy(mine)} logins before.`)
        }
        const inTime = part(bench, methods.length - index)
        const rounds = { ...bench, ...inTime, rounds: bench.quick ? 2 : judgedRounds, least: judgedRounds, warmUp: 0 }
        const samples = await interleave(servers, rounds, (server) =>
          measureLogins(bench, server, { method, count: counts[server.name] ?? 100 }),
        )
        rows.push(
          ...rowsOf(samples, [
            { figure: 'cpuMs', label: `server CPU, ${how}`, unit: 'ms', target: 1 / 20 },
            { figure: 'perSecond', label: `logins per second, ${how}`, unit: '/s', better: 'higher' },
            { figure: 'p50', label: `time p50, ${how}`, unit: 'ms' },
            { figure: 'p99', label: `time p99, ${how}`, unit: 'ms' },
          ]),
        )
      }
      return { rows, notes }
    }),
}
