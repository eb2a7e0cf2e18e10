/**
 * `npm run bench` asks every question, `npm run bench -- NAME...` some of them; `bench/README.md` describes the options.
 * Prints tables of ratios; writes JSON, Markdown and a plot into `bench/results/`.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { resolve } from 'node:path'
import { parseArguments } from './arguments.ts'
import { makeCredentials } from './credentials.ts'
import { buildLoad } from './load.ts'
import { startOurs } from './ours.ts'
import { peersOf } from './peer.ts'
import type { Bench, Question } from './question.ts'
import { questions } from './questions/index.ts'
import { compare, comparisonText } from './report/compare.ts'
import { toMarkdown } from './report/markdown.ts'
import { type Answered, fromJson, merge, type Result, toJson } from './report/result.ts'
import { toSvg } from './report/svg.ts'
import { terminalTable } from './report/table.ts'
import type { Start } from './server.ts'
import { startSshd } from './sshd.ts'

const starts: ReadonlyMap<string, Start> = new Map([
  ['ours', startOurs],
  ['sshd', startSshd],
])

/** One line that is written over and over; nothing when nobody watches. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

function machine(): string[] {
  const gb = (totalmem() / 1e9).toFixed(0)
  return [
    `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown processor'}, ${gb} GB`,
    `Linux ${release()}, Node ${process.version}`,
  ]
}

async function ask(chosen: readonly Question[], bench: Bench): Promise<Answered[]> {
  const answered: Answered[] = []
  for (const question of chosen) {
    const withinMs = question.seconds * 1000
    const answer = await question.run({ ...bench, withinMs, progress: (text) => progress(`${question.name}: ${text}`) })
    progress('')
    const one = { question, answer, date: new Date().toISOString() }
    answered.push(one)
    process.stdout.write(`${terminalTable(one)}\n\n`)
  }
  return answered
}

/** What each server is, in its own words. */
async function abouts(bench: Bench): Promise<Map<string, string>> {
  const texts = new Map<string, string>()
  for (const [name, start] of bench.starts) {
    await using server = await start(bench.credentials, bench.signal)
    texts.set(name, server.about)
  }
  for (const { name, about } of bench.peers) texts.set(name, about)
  return texts
}

const folder = import.meta.dirname
const baselineFile = resolve(folder, 'baseline.json')

function write(result: Result): void {
  const results = resolve(folder, 'results')
  mkdirSync(results, { recursive: true })
  const stem = `${result.date.replace(/[:.]/g, '-')}${result.quick ? '-quick' : ''}`
  writeFileSync(resolve(results, `${stem}.json`), toJson(result))
  writeFileSync(resolve(results, `${stem}.md`), toMarkdown(result, `${stem}.svg`))
  writeFileSync(resolve(results, `${stem}.svg`), toSvg(result))
  process.stdout.write(`bench/results/${stem}.md\n`)
}

/** What is committed. Some questions alone take their places in it. */
function writeReport(fresh: Result): void {
  const isWhole = fresh.answered.length === questions.length
  const names = questions.map(({ name }) => name)
  const result = isWhole || !existsSync(baselineFile) ? fresh : merge(readBaseline(), fresh, names)
  writeFileSync(baselineFile, toJson(result))
  writeFileSync(resolve(folder, 'report.md'), toMarkdown(result, 'report.svg'))
  writeFileSync(resolve(folder, 'report.svg'), toSvg(result))
}

function readBaseline(): Result {
  if (!existsSync(baselineFile)) throw new Error(`there is no ${baselineFile}: --report of a run makes it`)
  return fromJson(readFileSync(baselineFile, 'utf8'), baselineFile)
}

/** False when something is slower than the baseline says. */
function holds(baseline: Result, result: Result): boolean {
  const comparison = compare(baseline, result)
  process.stdout.write(`${comparisonText(comparison)}\n`)
  return comparison.regressions.length === 0
}

async function main(): Promise<void> {
  const order = parseArguments(process.argv.slice(2), questions)
  // Before the work: a run that cannot be compared in the end would be ten minutes for nothing.
  const baseline = order.compare ? readBaseline() : undefined
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort(new Error('interrupted')))
  process.once('SIGTERM', () => stop.abort(new Error('interrupted')))
  using credentials = await makeCredentials()
  const load = await buildLoad(stop.signal)
  const peers = peersOf(process.env)
  const bench = { load, credentials, starts, peers, quick: order.quick, signal: stop.signal, withinMs: 0, progress }
  const servers = await abouts(bench)
  const answered = await ask(order.chosen, bench)
  const date = new Date().toISOString()
  const result = { date, quick: order.quick, machine: machine(), servers, answered }
  write(result)
  if (order.report) writeReport(result)
  if (baseline !== undefined && !holds(baseline, result)) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
