/** What it costs that the primary accepts a connection and a worker serves it. */
import { fileURLToPath } from 'node:url'
import { runLoad, targetFlags } from '../load.ts'
import { costOf, type Figures, interleave, judgedRounds } from '../measure.ts'
import { startWith } from '../ours.ts'
import { freePort, startService } from '../process.ts'
import { amount, type Bench, otherShare, ours, type Question, rowsOf } from '../question.ts'
import type { Server } from '../server.ts'
import { type Batches, untilSteady } from '../steady.ts'

const connections = 3000
/** Until the compiler has done with the few functions that this takes, on both sides. */
const batches: Batches = { logins: connections, most: 6 }
const alone = 'one process'
const script = fileURLToPath(new URL('../greeter.ts', import.meta.url))

/** The same greeting and end in one process, which is the floor. */
async function startAlone(bench: Bench, like: Server): Promise<Server> {
  const port = await freePort()
  const { signal, credentials } = bench
  const logFile = `${credentials.directory}/greeter.log`
  const args = [script, `${port}`]
  const service = await startService({ command: process.execPath, args, port, logFile, signal })
  return { ...like, ...service, name: alone, address: `127.0.0.1:${port}` }
}

async function measure(bench: Bench, server: Server): Promise<Figures> {
  const count = amount(bench, connections)
  const flags = [...targetFlags(server), '-count', `${count}`, '-parallel', '8']
  const cost = await costOf(server, bench.signal, () => runLoad(bench.load, 'greet', flags, bench.signal))
  return { cpuMs: cost.serverCpuMs / count, [otherShare]: cost.otherShare }
}

export const handover: Question = {
  name: 'handover',
  title: 'Hand-over of a connection to a worker',
  seconds: 10,
  about:
    'Connections that read an identification line and hang up, 8 at a time: accepted, admitted and handed over by the daemon, whose ' +
    'worker greets and does nothing else (ours), beside a process that accepts and greets by itself. The hand-over is the difference. ' +
    `Before, each serves batches of ${batches.logins} until two in a row cost the same within 5 %, ${batches.most} at most.`,
  async run(bench) {
    await using running = new AsyncDisposableStack()
    const start = startWith({ backend: 'bench', env: { BENCH_WORKER: 'greeter' } })
    const mine = running.use(await start(bench.credentials, bench.signal))
    const servers = [mine, running.use(await startAlone(bench, mine))]
    const most = bench.quick ? { ...batches, most: 2 } : batches
    for (const server of servers) {
      await untilSteady(bench, most, async () => (await measure(bench, server))['cpuMs'] ?? Number.NaN)
    }
    const rounds = { ...bench, rounds: bench.quick ? 1 : 7, least: judgedRounds, warmUp: 0 }
    const samples = await interleave(servers, rounds, (server) => measure(bench, server))
    const of = (side: string, figure: string): readonly number[] => samples.get(side)?.get(figure) ?? []
    const difference = of(ours, 'cpuMs').map((ms, round) => ms - (of(alone, 'cpuMs')[round] ?? Number.NaN))
    const figures = new Map([
      ['difference', difference],
      [otherShare, of(ours, otherShare)],
    ])
    const rows = [
      ...rowsOf(samples, [{ figure: 'cpuMs', label: 'CPU of all processes per connection', unit: 'ms' }]),
      ...rowsOf(new Map([[ours, figures]]), [
        { figure: 'difference', label: 'CPU of the hand-over', unit: 'ms', limit: 0.15 },
      ]),
    ]
    return { rows, notes: [] }
  },
}
