import { runLoad, targetFlags } from '../load.ts'
import { costOf, type Figures, interleave } from '../measure.ts'
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

/** sshd takes thirty times as long; each side works for about a second per round. */
const counts: Readonly<Record<string, number>> = { ours: 600, sshd: 40 }
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

/** Figures `cpuMs`, `perSecond`, `p50`, `p99`. */
export async function measureLogins(bench: Bench, server: Server, logins: Logins): Promise<Figures> {
  const { method, kex = 'curve25519-sha256', hostKey = 'ssh-ed25519', isWarmUp } = logins
  const count = amount(bench, logins.count, isWarmUp)
  const flags = [...targetFlags(server, method), '-count', `${count}`, '-parallel', `${parallel}`]
  flags.push('-kex', kex, '-hostkey', hostKey)
  const cost = await costOf(server, bench.signal, () => runLoad(bench.load, 'login', flags, bench.signal))
  return {
    cpuMs: cost.serverCpuMs / count,
    perSecond: cost.result.perSecond,
    p50: cost.result.latencyUs.p50 / 1000,
    p99: cost.result.latencyUs.p99 / 1000,
    [otherShare]: cost.otherShare,
  }
}

export const login: Question = {
  name: 'login',
  title: 'Handshake and login',
  seconds: 18,
  about:
    'TCP connect, curve25519 key exchange, ed25519 host key, authentication, one global request and its reply; 8 at a time, ' +
    'each on a new connection. sshd checks the password against SHA-512-crypt each time; we against argon2id the first time, and ' +
    'recognise it by a keyed digest from then on.',
  run: (bench) =>
    withServers(bench, async (servers) => {
      const rows: Row[] = []
      for (const [index, method] of methods.entries()) {
        const inTime = part(bench, methods.length - index)
        const rounds = { ...bench, ...inTime, rounds: bench.quick ? 2 : 7, warmUp: bench.quick ? 1 : 2 }
        const samples = await interleave(servers, rounds, (server, isWarmUp) =>
          // A program that is compiled while it runs has to be warm; sshd starts a process for each.
          measureLogins(bench, server, {
            method,
            count: counts[server.name] ?? 100,
            isWarmUp: isWarmUp && server.name !== ours,
          }),
        )
        const how = method === 'key' ? 'ed25519 key' : 'password'
        rows.push(
          ...rowsOf(samples, [
            { figure: 'cpuMs', label: `server CPU, ${how}`, unit: 'ms', target: 1 / 20 },
            { figure: 'perSecond', label: `logins per second, ${how}`, unit: '/s', better: 'higher' },
            { figure: 'p50', label: `time p50, ${how}`, unit: 'ms' },
            { figure: 'p99', label: `time p99, ${how}`, unit: 'ms' },
          ]),
        )
      }
      return { rows, notes: [] }
    }),
}
