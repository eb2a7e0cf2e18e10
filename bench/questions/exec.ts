import { runLoad, targetFlags } from '../load.ts'
import { costOf, type Figures, interleave } from '../measure.ts'
import { amount, type Bench, otherShare, type Question, rowsOf, withServers } from '../question.ts'
import type { Server } from '../server.ts'

const commands: Readonly<Record<string, number>> = { ours: 1500, sshd: 250 }

async function measure(bench: Bench, server: Server, isWarmUp: boolean): Promise<Figures> {
  const count = amount(bench, commands[server.name] ?? 250, isWarmUp)
  const flags = [...targetFlags(server), '-count', `${count}`, '-command', server.commands.true]
  const cost = await costOf(server, bench.signal, () => runLoad(bench.load, 'exec', flags, bench.signal))
  return {
    cpuMs: cost.serverCpuMs / count,
    p50: cost.result.latencyUs.p50 / 1000,
    p99: cost.result.latencyUs.p99 / 1000,
    [otherShare]: cost.otherShare,
  }
}

export const exec: Question = {
  name: 'exec',
  title: 'Round trip of a command',
  seconds: 5,
  about:
    'Open a channel, exec `true`, exit status, close; one after the other on one connection. sshd forks a shell for it, our ' +
    'null room runs nothing: the difference is what a room may cost.',
  run: (bench) =>
    withServers(bench, async (servers) => {
      const rounds = { ...bench, rounds: bench.quick ? 2 : 5, warmUp: 1 }
      const samples = await interleave(servers, rounds, (server, isWarmUp) => measure(bench, server, isWarmUp))
      const rows = rowsOf(samples, [
        { figure: 'p50', label: 'time p50', unit: 'ms' },
        { figure: 'p99', label: 'time p99', unit: 'ms' },
        { figure: 'cpuMs', label: 'server CPU', unit: 'ms' },
      ])
      return { rows, notes: [] }
    }),
}
