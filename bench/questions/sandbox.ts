/** `ssh host true` from the connection to the exit status, each with a sandbox of its own. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { findGo } from '../../scripts/go.ts'
import { buildGuest } from '../../scripts/guest.ts'
import { cache, runLoad, targetFlags } from '../load.ts'
import { costOf, type Figures, interleave } from '../measure.ts'
import { startWith } from '../ours.ts'
import { type Answer, amount, type Bench, orNote, otherShare, ours, type Question, rowsOf } from '../question.ts'
import { type Server, startTogether } from '../server.ts'

const alone = 16
const burst = 200

async function measure(bench: Bench, server: Server, isWarmUp: boolean): Promise<Figures> {
  const count = amount(bench, alone, isWarmUp)
  const login = (logins: number, parallel: number) => {
    const flags = [...targetFlags(server), '-command', 'true', '-reconnect']
    return runLoad(bench.load, 'exec', [...flags, '-count', `${logins}`, '-parallel', `${parallel}`], bench.signal)
  }
  const cost = await costOf(server, bench.signal, () => login(count, 1))
  const many = await login(amount(bench, burst, isWarmUp), burst)
  return {
    cpuMs: cost.serverCpuMs / count,
    p50: cost.result.latencyUs.p50 / 1000,
    p99: cost.result.latencyUs.p99 / 1000,
    burst: many.latencyUs.p50 / 1000,
    burst99: many.latencyUs.max / 1000,
    [otherShare]: cost.otherShare,
  }
}

/** Throws an Error that says what is missing. */
async function find(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('sandboxes with users of their own need root')
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  if (!folders.some((folder) => existsSync(join(folder, 'bwrap')))) throw new Error('there is no bubblewrap (bwrap)')
  await buildGuest(await findGo(cache))
}

async function run(bench: Bench): Promise<Answer> {
  const directory = mkdtempSync(join(tmpdir(), 'sbx-'))
  await chmod(directory, 0o711)
  const start = startWith({
    backend: 'sandbox',
    config: { sandbox: { directory, ids: { first: 3_200_000 }, shellCommand: ['/bin/sh'] } },
  })
  try {
    await using running = new AsyncDisposableStack()
    const mine = await startTogether(bench, running, [[ours, start]])
    const sshd = await bench.shared.one('sshd')
    const servers = sshd === undefined ? mine : [...mine, sshd]
    const rounds = { ...bench, rounds: bench.quick ? 1 : 3, warmUp: 1 }
    const samples = await interleave(servers, rounds, (server, isWarmUp) => measure(bench, server, isWarmUp))
    const rows = rowsOf(samples, [
      { figure: 'p50', label: 'time p50', unit: 'ms', target: 1 },
      { figure: 'p99', label: 'time p99', unit: 'ms' },
      { figure: 'cpuMs', label: 'server CPU', unit: 'ms' },
      { figure: 'burst', label: `p50 of ${burst} at once`, unit: 'ms' },
      { figure: 'burst99', label: `last of ${burst} at once`, unit: 'ms' },
    ])
    return { rows, notes: [] }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

export const sandbox: Question = {
  name: 'sandbox',
  title: 'Login to a sandbox',
  seconds: 30,
  needs: 'root and bubblewrap',
  about:
    '`ssh host true` from the connection to the exit status, with a new connection and a sandbox of its own each, beside sshd, which ' +
    `starts a process for each; one after the other, then ${burst} at once.`,
  prepare: find,
  run: (bench) => orNote(bench, find, run),
}
