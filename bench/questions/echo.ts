import { runLoad, targetFlags } from '../load.ts'
import { costOf, type Figures, interleave } from '../measure.ts'
import { type Bench, otherShare, type Question, type Row, rowsOf, withServers } from '../question.ts'
import type { Server } from '../server.ts'

const scenes = [
  { label: '1 session', active: 1, idle: 0, keys: 500 },
  { label: '1 session, 100 idle ones', active: 1, idle: 100, keys: 500 },
  { label: '100 sessions', active: 100, idle: 0, keys: 300 },
] as const

async function measure(bench: Bench, server: Server, scene: (typeof scenes)[number]): Promise<Figures> {
  const keys = bench.quick ? 100 : scene.keys
  const flags = [...targetFlags(server), '-command', server.commands.echo]
  flags.push('-active', `${scene.active}`, '-idle', `${scene.idle}`, '-keys', `${keys}`)
  const cost = await costOf(server, bench.signal, () => runLoad(bench.load, 'echo', flags, bench.signal))
  return { p50: cost.result.latencyUs.p50, p99: cost.result.latencyUs.p99, [otherShare]: cost.otherShare }
}

export const echo: Question = {
  name: 'echo',
  title: 'Keystroke echo',
  about:
    '100 keystrokes per second and session, each one byte that must come back, at its own phase. On sshd `cat` echoes, on ours ' +
    'the room itself; no terminal on either side.',
  run: (bench) =>
    withServers(bench, async (servers) => {
      const rows: Row[] = []
      for (const scene of scenes) {
        const rounds = { ...bench, rounds: bench.quick ? 2 : 5, warmUp: 1 }
        const samples = await interleave(servers, rounds, (server) => measure(bench, server, scene))
        rows.push(
          ...rowsOf(samples, [
            { figure: 'p50', label: `p50, ${scene.label}`, unit: 'µs' },
            { figure: 'p99', label: `p99, ${scene.label}`, unit: 'µs' },
          ]),
        )
      }
      return { rows, notes: [] }
    }),
}
