/** Two runs in a row: whether the same side wins each row. */
import { type Summary, sideOf } from '../stats.ts'
import { leastTolerance } from './compare.ts'
import type { Answered } from './result.ts'

export interface Winners {
  /** Ratios of which both runs say the same. */
  readonly same: number
  /** A sentence each: in one run ours wins beyond the noise, in the other one the other side. */
  readonly flips: readonly string[]
  /** What the rounds of one of the runs do not agree about, and medians that lie closely on the two sides of 1. */
  readonly ties: readonly string[]
  /** What only one run has. */
  readonly remarks: readonly string[]
}

/** Medians of two runs with nothing changed may lie as close on the two sides of 1. */
const isNear = ({ median: one }: Summary, { median: other }: Summary): boolean =>
  Math.max(one, other) <= Math.min(one, other) * (1 + leastTolerance)

const figure = (value: number): string => Number(value.toPrecision(3)).toString()
const told = ({ median, min, max }: Summary): string => `${figure(median)} (${figure(min)}–${figure(max)})`

export function compareWinners(first: readonly Answered[], second: readonly Answered[]): Winners {
  const [one, other] = [ratiosOf(first), ratiosOf(second)]
  const flips: string[] = []
  const ties: string[] = []
  let same = 0
  for (const [place, was] of one) {
    const is = other.get(place)
    if (is === undefined) continue
    const [before, after] = [sideOf(was), sideOf(is)]
    const text = `${place}: ${told(was)}, then ${told(is)}`
    if (before !== undefined && before === after) same++
    else if (before === undefined || after === undefined || isNear(was, is)) ties.push(text)
    else flips.push(text)
  }
  return { same, flips, ties, remarks: [...onlyIn(one, other, 'first'), ...onlyIn(other, one, 'second')] }
}

function ratiosOf(answered: readonly Answered[]): Map<string, Summary> {
  const found = new Map<string, Summary>()
  for (const { question, answer } of answered) {
    for (const { label, ratios } of answer.rows) {
      for (const [side, ratio] of ratios)
        if (Number.isFinite(ratio.median)) found.set(`${question.name}: ${label}, to ${side}`, ratio)
    }
  }
  return found
}

const onlyIn = (one: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>, run: string): string[] =>
  [...one.keys()].filter((place) => !other.has(place)).map((place) => `${place}: only in the ${run} run`)

const summary = ({ same, flips, ties }: Winners): string =>
  `Two runs in a row: ${same} ratios with the same winner, ${flips.length} with another one beyond the noise, ` +
  `${ties.length} that are level within the noise.`

const lists = ({ flips, ties, remarks }: Winners): readonly (readonly [string, readonly string[]])[] => [
  ['Another winner:', flips],
  ['Level within the noise:', ties],
  ['Not compared:', remarks],
]

/** For the terminal. */
export const winnersText = (winners: Winners): string =>
  [
    summary(winners),
    ...lists(winners).flatMap(([title, texts]) =>
      texts.length === 0 ? [] : [title, ...texts.map((text) => `  ${text}`)],
    ),
  ].join('\n')

export const winnersMarkdown = (winners: Winners): string =>
  [
    summary(winners),
    ...lists(winners).flatMap(([title, texts]) =>
      texts.length === 0 ? [] : ['', title, '', ...texts.map((text) => `- ${text}`)],
    ),
  ].join('\n')
