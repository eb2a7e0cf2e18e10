/** The files of a run: `results/`, and what is committed. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { toMarkdown } from './report/markdown.ts'
import { fromJson, merge, type Result, toJson } from './report/result.ts'
import { toSvg } from './report/svg.ts'

const folder = import.meta.dirname
const baselineFile = resolve(folder, 'baseline.json')

/** Gives the path of the report, from the checkout's root. */
export function writeResult(result: Result): string {
  const results = resolve(folder, 'results')
  mkdirSync(results, { recursive: true })
  const kind = `${result.quick ? '-quick' : ''}${result.missing.length > 0 ? '-partial' : ''}`
  const stem = `${result.date.replace(/[:.]/g, '-')}${kind}`
  writeFileSync(resolve(results, `${stem}.json`), toJson(result))
  writeFileSync(resolve(results, `${stem}.md`), toMarkdown(result, `${stem}.svg`))
  writeFileSync(resolve(results, `${stem}.svg`), toSvg(result))
  return `bench/results/${stem}.md`
}

/** What is committed. Some questions alone take their places in it. `names`: all questions there are, in order. */
export function writeReport(fresh: Result, names: readonly string[]): void {
  const isWhole = fresh.answered.length === names.length
  const result = isWhole || !existsSync(baselineFile) ? fresh : merge(readBaseline(), fresh, names)
  writeFileSync(baselineFile, toJson(result))
  writeFileSync(resolve(folder, 'report.md'), toMarkdown(result, 'report.svg'))
  writeFileSync(resolve(folder, 'report.svg'), toSvg(result))
}

/** Throws an Error when there is none. */
export function readBaseline(): Result {
  if (!existsSync(baselineFile)) throw new Error(`there is no ${baselineFile}: --report of a run makes it`)
  return fromJson(readFileSync(baselineFile, 'utf8'), baselineFile)
}
