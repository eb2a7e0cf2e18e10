/** `ssh host true` from the connection to the exit status, each with a sandbox of its own. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { findGo } from '../../scripts/go.ts'
import { buildGuest } from '../../scripts/guest.ts'
import { cache, runLoad, targetFlags } from '../load.ts'
import { costOf, type Figures, interleave, judgedRounds } from '../measure.ts'
import { startWith } from '../ours.ts'
import { type Answer, amount, type Bench, orNote, otherShare, ours, part, type Question, rowsOf } from '../question.ts'
import { type Server, startTogether } from '../server.ts'

const alone = 10
const burst = 200
const burstRounds = 3

function login(bench: Bench, server: Server, count: number, parallel: number) {
  const flags = [...targetFlags(server), '-command', 'true', '-reconnect']
  return runLoad(bench.load, 'exec', [...flags, '-count', `${count}`, '-parallel', `${parallel}`], bench.signal)
}

/** One after the other. */
async function oneByOne(bench: Bench, server: Server, isWarmUp: boolean): Promise<Figures> {
  const count = amount(bench, alone, isWarmUp)
  const cost = await costOf(server, bench.signal, () => login(bench, server, count, 1))
  return {
    cpuMs: cost.serverCpuMs / count,
    p50: cost.result.latencyUs.p50 / 1000,
    slowest: cost.result.latencyUs.max / 1000,
    [otherShare]: cost.otherShare,
  }
}

async function atOnce(bench: Bench, server: Server): Promise<Figures> {
  const count = amount(bench, burst)
  const { latencyUs } = await login(bench, server, count, count)
  return { burst: latencyUs.p50 / 1000, burstLast: latencyUs.max / 1000 }
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
    const many = { ...bench, rounds: bench.quick ? 1 : burstRounds, warmUp: 0 }
    const judged = { rounds: bench.quick ? 1 : judgedRounds, least: judgedRounds, warmUp: 1 }
    const single = await interleave(servers, { ...bench, ...part(bench, 2), ...judged }, (server, isWarmUp) =>
      oneByOne(bench, server, isWarmUp),
    )
    const bursts = await interleave(servers, many, (server) => atOnce(bench, server))
    const rows = [
      ...rowsOf(single, [
        { figure: 'p50', label: 'time p50', unit: 'ms', target: 1 },
        { figure: 'slowest', label: `slowest of ${alone}`, unit: 'ms' },
        { figure: 'cpuMs', label: 'server CPU', unit: 'ms' },
      ]),
      ...rowsOf(bursts, [
        { figure: 'burst', label: `p50 of ${burst} at once`, unit: 'ms' },
        { figure: 'burstLast', label: `last of ${burst} at once`, unit: 'ms' },
      ]),
    ]
    return { rows, notes: [] }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

export const sandbox: Question = {
  name: 'sandbox',
  title: 'Login to a sandbox',
  seconds: 27,
  needs: 'root and bubblewrap',
  about:
    '`ssh host true` from the connection to the exit status, with a new connection and a sandbox of its own each, beside sshd, which ' +
    `starts a process for each; one after the other, then ${burst} at once.`,
  prepare: find,
  run: (bench) => orNote(bench, find, run),
}
