/**
 * `npm run bench` asks every question, `npm run bench -- NAME...` some of them; `bench/README.md` describes the options.
 * Prints tables of ratios; writes JSON, Markdown and a plot into `bench/results/`.
 */
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { type Order, parseArguments } from './arguments.ts'
import { makeCredentials } from './credentials.ts'
import { readBaseline, writeReport, writeResult } from './files.ts'
import { buildLoad } from './load.ts'
import { startOurs } from './ours.ts'
import { peersOf } from './peer.ts'
import { planText } from './plan.ts'
import type { Bench } from './question.ts'
import { questions } from './questions/index.ts'
import { compare, comparisonText } from './report/compare.ts'
import type { Result } from './report/result.ts'
import { compareWinners, type Winners, winnersText } from './report/winners.ts'
import { ask, prepare } from './run.ts'
import type { Credentials, Start } from './server.ts'
import { shareServers } from './shared.ts'
import { ensureSshd, startSshd } from './sshd.ts'
import { stopSignal } from './stop.ts'

function machine(): string[] {
  const gb = (totalmem() / 1e9).toFixed(0)
  return [
    `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown processor'}, ${gb} GB`,
    `Linux ${release()}, Node ${process.version}`,
  ]
}

/** Ours, and sshd where there is one. */
async function serversOf(): Promise<ReadonlyMap<string, Start>> {
  const starts = new Map<string, Start>([['ours', startOurs]])
  try {
    await ensureSshd()
    starts.set('sshd', startSshd)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    process.stderr.write(`bench: ours alone, nothing of sshd: ${why}\n`)
  }
  return starts
}

type Tools = Pick<Bench, 'load' | 'peers' | 'starts' | 'signal'>

/** One run from its servers' start to their end. */
async function runOnce({ chosen, quick }: Order, credentials: Credentials, tools: Tools): Promise<Result> {
  await using shared = shareServers(tools.starts, credentials, tools.signal)
  const { answered, missing } = await ask(chosen, { ...tools, credentials, shared, quick })
  const servers = new Map([...shared.abouts, ...tools.peers.map(({ name, about }) => [name, about] as const)])
  return { date: new Date().toISOString(), quick, machine: machine(), servers, answered, missing }
}

/** False when something is slower than the baseline says. */
function holds(baseline: Result, result: Result): boolean {
  const comparison = compare(baseline, result)
  process.stdout.write(`${comparisonText(comparison)}\n`)
  return comparison.regressions.length === 0
}

function told(first: Result, second: Result): Winners {
  const winners = compareWinners(first.answered, second.answered)
  process.stdout.write(`${winnersText(winners)}\n`)
  return winners
}

/** Whether all is well. */
async function measure(order: Order, signal: AbortSignal): Promise<boolean> {
  // Before the work: a run that cannot be compared in the end would be many minutes for nothing.
  const baseline = order.compare ? readBaseline() : undefined
  const peers = peersOf(process.env)
  using credentials = await makeCredentials()
  const tools = { load: await buildLoad(signal), peers, starts: await serversOf(), signal }
  await prepare(order.chosen, signal)
  const first = await runOnce(order, credentials, tools)
  process.stdout.write(`${writeResult(first)}\n`)
  let last = first
  if (order.twice && !signal.aborted) {
    const second = await runOnce(order, credentials, tools)
    last = { ...second, winners: told(first, second) }
    process.stdout.write(`${writeResult(last)}\n`)
  }
  if (order.report && last.answered.length > 0)
    writeReport(
      last,
      questions.map(({ name }) => name),
    )
  const isWhole = first.missing.length + last.missing.length === 0
  if (!isWhole)
    process.stderr.write(
      `bench: partial, without ${[...new Set([...first.missing, ...last.missing].map(({ name }) => name))].join(', ')}\n`,
    )
  const isFast = baseline === undefined || holds(baseline, last)
  return isWhole && isFast && (last.winners?.flips.length ?? 0) === 0
}

async function main(): Promise<void> {
  const order = parseArguments(process.argv.slice(2), questions)
  if (order.plan) process.stdout.write(`${planText(order.chosen, peersOf(process.env).length > 0)}\n`)
  else if (!(await measure(order, stopSignal()))) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
