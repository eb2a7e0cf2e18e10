import { runLoad, targetFlags } from '../load.ts'
import { costOf, type Figures, interleave } from '../measure.ts'
import { type Bench, otherShare, type Question, rowsOf, withServers } from '../question.ts'
import type { Server } from '../server.ts'

/** sshd would take a minute and a half for as many. */
const clients: Readonly<Record<string, number>> = { ours: 5000, sshd: 120 }

async function measure(bench: Bench, server: Server): Promise<Figures> {
  const all = clients[server.name] ?? 400
  const count = bench.quick ? all / 10 : all
  // The last of them waits for all others.
  const flags = [...targetFlags(server), '-count', `${count}`, '-parallel', `${count}`, '-timeout', '100s']
  const cost = await costOf(server, bench.signal, () => runLoad(bench.load, 'login', flags, bench.signal))
  const { perSecond, latencyUs } = cost.result
  return {
    perSecond,
    cpuMs: cost.serverCpuMs / count,
    [server.name === 'ours' ? 'last' : 'lastOfFewer']: latencyUs.max / 1000,
    [otherShare]: cost.otherShare,
  }
}

export const storm: Question = {
  name: 'storm',
  title: 'A storm of connections',
  seconds: 22,
  about: `${clients['ours']} clients that connect and log in all at once; for sshd, which starts processes for each, ${clients['sshd']}.`,
  run: (bench) =>
    withServers(bench, async (servers) => {
      const rounds = { ...bench, rounds: bench.quick ? 1 : 3, warmUp: 0 }
      const samples = await interleave(servers, rounds, (server) => measure(bench, server))
      const rows = rowsOf(samples, [
        { figure: 'perSecond', label: 'logins per second', unit: '/s', better: 'higher' },
        { figure: 'cpuMs', label: 'server CPU per login', unit: 'ms' },
        { figure: 'last', label: 'the last of them is in after', unit: 'ms' },
      ])
      return { rows, notes: [] }
    }),
}
