/**
 * A run held against the committed baseline. Ratios are compared, to another side of the same run: absolute figures are
 * those of a machine. What the rounds of the two runs vary by is noise, and no regression.
 */
import type { Row } from '../question.ts'
import { type Summary, spread } from '../stats.ts'
import type { Result } from './result.ts'

/** Fewer samples have no spread that says anything. */
const leastSamples = 3
/** Medians of two runs on one idle machine differ by so much with nothing changed. */
export const leastTolerance = 0.15

export interface Comparison {
  /** Ratios that were compared. */
  readonly compared: number
  /** A sentence each. */
  readonly regressions: readonly string[]
  readonly improvements: readonly string[]
  /** What could not be compared, and why. */
  readonly remarks: readonly string[]
}

interface Pair {
  readonly place: string
  readonly better: Row['better']
  readonly was: Summary
  /** Undefined: this run has no such row or side. */
  readonly is: Summary | undefined
}

/** Every ratio of the baseline to whose question this run has an answer. */
function* pairs(baseline: Result, current: Result): Generator<Pair> {
  for (const { question, answer } of current.answered) {
    const before = baseline.answered.find((answered) => answered.question.name === question.name)
    const rows = new Map(answer.rows.map((row) => [row.label, row]))
    for (const { label, better, ratios } of before?.answer.rows ?? []) {
      for (const [side, was] of ratios)
        yield { place: `${question.name}: ${label}, to ${side}`, better, was, is: rows.get(label)?.ratios.get(side) }
    }
  }
}

export function compare(baseline: Result, current: Result): Comparison {
  const regressions: string[] = []
  const improvements: string[] = []
  const remarks: string[] = []
  let compared = 0
  if (baseline.machine.join() !== current.machine.join())
    remarks.push(`the baseline is of another machine: ${baseline.machine.join('; ')}`)
  for (const { question } of current.answered) {
    const isKnown = baseline.answered.some(({ question: { name } }) => name === question.name)
    if (!isKnown) remarks.push(`${question.name}: not in the baseline`)
  }
  for (const { place, better, was, is } of pairs(baseline, current)) {
    if (is === undefined) remarks.push(`${place}: not in this run`)
    else if (Math.min(was.samples.length, is.samples.length) < leastSamples)
      remarks.push(`${place}: fewer than ${leastSamples} rounds`)
    else {
      compared++
      const text = `${place}: ${was.median.toPrecision(3)} in the baseline, ${is.median.toPrecision(3)} in this run`
      const change = changeOf(was, is)
      if (change === undefined) continue
      if ((change === 'grown') === (better === 'lower')) regressions.push(text)
      else improvements.push(text)
    }
  }
  return { compared, regressions, improvements, remarks }
}

/** The medians by more than what the rounds vary by, and ranges that do not meet. */
function changeOf(was: Summary, is: Summary): 'grown' | 'shrunk' | undefined {
  const tolerance = Math.max(leastTolerance, spread(was) + spread(is))
  if (is.median > was.median * (1 + tolerance) && is.min > was.max) return 'grown'
  if (was.median > is.median * (1 + tolerance) && is.max < was.min) return 'shrunk'
  return undefined
}

/** For the terminal. */
export function comparisonText({ compared, regressions, improvements, remarks }: Comparison): string {
  const list = (title: string, texts: readonly string[]): string[] =>
    texts.length === 0 ? [] : [title, ...texts.map((text) => `  ${text}`)]
  const counts = `${regressions.length} worse beyond the noise, ${improvements.length} better beyond it`
  return [
    `Against the baseline: ${compared} ratios compared, ${counts}.`,
    ...list('Worse:', regressions),
    ...list('Better:', improvements),
    ...list('Not compared:', remarks),
  ].join('\n')
}
