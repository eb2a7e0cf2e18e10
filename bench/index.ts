/**
 * `npm run bench` asks every question, `npm run bench -- NAME...` some of them; `--quick` with small amounts.
 * Prints tables of ratios; writes JSON, Markdown and a plot into `bench/results/`, and with `--report` the committed
 * `bench/report.md` and its plot too.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { resolve } from 'node:path'
import { makeCredentials } from './credentials.ts'
import { buildLoad } from './load.ts'
import { startOurs } from './ours.ts'
import type { Bench, Question } from './question.ts'
import { questions } from './questions/index.ts'
import { toMarkdown } from './report/markdown.ts'
import { type Answered, type Result, toJson } from './report/result.ts'
import { toSvg } from './report/svg.ts'
import { terminalTable } from './report/table.ts'
import type { Start } from './server.ts'
import { startSshd } from './sshd.ts'

const starts: ReadonlyMap<string, Start> = new Map([
  ['ours', startOurs],
  ['sshd', startSshd],
])

interface Order {
  readonly chosen: readonly Question[]
  readonly quick: boolean
  /** The run becomes the committed report. */
  readonly report: boolean
}

function parse(args: readonly string[]): Order {
  const names = args.filter((arg) => arg !== '--quick' && arg !== '--report')
  const unknown = names.find((name) => !questions.some((question) => question.name === name))
  if (unknown !== undefined)
    throw new Error(`there is no question "${unknown}"; there are ${questions.map(({ name }) => name).join(', ')}`)
  const chosen = questions.filter(({ name }) => names.length === 0 || names.includes(name))
  return { chosen, quick: args.includes('--quick'), report: args.includes('--report') }
}

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
    const answer = await question.run({ ...bench, progress: (text) => progress(`${question.name}: ${text}`) })
    progress('')
    answered.push({ question, answer })
    process.stdout.write(`${terminalTable({ question, answer })}\n\n`)
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
  return texts
}

function write(result: Result, report: boolean): void {
  const folder = resolve(import.meta.dirname, 'results')
  mkdirSync(folder, { recursive: true })
  const stem = `${result.date.replace(/[:.]/g, '-')}${result.quick ? '-quick' : ''}`
  writeFileSync(resolve(folder, `${stem}.json`), toJson(result))
  writeFileSync(resolve(folder, `${stem}.md`), toMarkdown(result, `${stem}.svg`))
  writeFileSync(resolve(folder, `${stem}.svg`), toSvg(result))
  process.stdout.write(`bench/results/${stem}.md\n`)
  if (!report) return
  writeFileSync(resolve(import.meta.dirname, 'report.md'), toMarkdown(result, 'report.svg'))
  writeFileSync(resolve(import.meta.dirname, 'report.svg'), toSvg(result))
}

async function main(): Promise<void> {
  const { chosen, quick, report } = parse(process.argv.slice(2))
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort(new Error('interrupted')))
  process.once('SIGTERM', () => stop.abort(new Error('interrupted')))
  using credentials = await makeCredentials()
  const load = await buildLoad(stop.signal)
  const bench: Bench = { load, credentials, starts, quick, signal: stop.signal, progress }
  const servers = await abouts(bench)
  const answered = await ask(chosen, bench)
  const date = new Date().toISOString()
  write({ date, quick, machine: machine(), servers, answered }, report)
}

try {
  await main()
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
