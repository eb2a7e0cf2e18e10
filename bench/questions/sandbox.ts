/** `ssh host true` from the connection to the exit status, each with a sandbox of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runLoad, targetFlags } from '../load.ts'
import { costOf, type Figures, interleave } from '../measure.ts'
import { startWith } from '../ours.ts'
import { type Bench, otherShare, type Question, rowsOf, withServers } from '../question.ts'
import type { Server } from '../server.ts'

const burst = 200

async function measure(bench: Bench, server: Server): Promise<Figures> {
  const count = bench.quick ? 20 : 100
  const login = (logins: number, parallel: number) => {
    const flags = [...targetFlags(server), '-command', 'true', '-reconnect']
    return runLoad(bench.load, 'exec', [...flags, '-count', `${logins}`, '-parallel', `${parallel}`], bench.signal)
  }
  const cost = await costOf(server, bench.signal, () => login(count, 1))
  const many = await login(burst, burst)
  return {
    cpuMs: cost.serverCpuMs / count,
    p50: cost.result.latencyUs.p50 / 1000,
    p99: cost.result.latencyUs.p99 / 1000,
    burst: many.latencyUs.p50 / 1000,
    burst99: many.latencyUs.max / 1000,
    [otherShare]: cost.otherShare,
  }
}

async function run(bench: Bench) {
  const directory = mkdtempSync(join(tmpdir(), 'sbx-'))
  await chmod(directory, 0o711)
  const ours = startWith({
    backend: 'sandbox',
    config: { sandbox: { directory, ids: { first: 3_200_000 }, shellCommand: ['/bin/sh'] } },
  })
  try {
    const starts = new Map(bench.starts).set('ours', ours)
    return await withServers({ ...bench, starts }, async (servers) => {
      const rounds = { ...bench, rounds: bench.quick ? 1 : 4, warmUp: 1 }
      const samples = await interleave(servers, rounds, (server) => measure(bench, server))
      const rows = rowsOf(samples, [
        { figure: 'p50', label: 'time p50', unit: 'ms', target: 1 },
        { figure: 'p99', label: 'time p99', unit: 'ms' },
        { figure: 'cpuMs', label: 'server CPU', unit: 'ms' },
        { figure: 'burst', label: `p50 of ${burst} at once`, unit: 'ms' },
        { figure: 'burst99', label: `last of ${burst} at once`, unit: 'ms' },
      ])
      return { rows, notes: [] }
    })
  } finally {
    rmSync(directory, { recursive: true })
  }
}

export const sandbox: Question = {
  name: 'sandbox',
  title: 'Login to a sandbox',
  seconds: 30,
  about:
    '`ssh host true` from the connection to the exit status, with a new connection and a sandbox of its own each, beside sshd, which ' +
    `starts a process for each; one after the other, then ${burst} at once.`,
  run,
}
