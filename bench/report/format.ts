/** How figures and ratios read, in the terminal and in the report. */
import type { Row } from '../question.ts'
import { type Summary, sideOf, spread } from '../stats.ts'

/** Beyond this half range of the ratio, or this share of the machine taken by others, a row is noisy. */
const noisySpread = 0.25
const noisyShare = 0.1

/** Three significant digits. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '?'
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return Number(value.toPrecision(3)).toString()
}

/** `0.045 (1/22)`: small ratios read better as fractions. */
export function ratioText({ median }: Summary): string {
  return median < 0.34 && median > 0 ? `${figure(median)} (1/${figure(1 / median)})` : figure(median)
}
export const rangeText = ({ min, max }: Summary): string => `${figure(min)}–${figure(max)}`
export const targetText = ({ targets, better }: Row, side: string): string => {
  const target = targets.get(side)
  if (target === undefined) return ''
  if (better === 'higher') return `≥ ${figure(target)}`
  return target < 0.34 ? `≤ 1/${figure(1 / target)}` : `≤ ${figure(target)}`
}

/** What to think of a row: `met`, `missed`; `level` when neither side wins; `noisy` when the figures should not be trusted. */
export function verdict(row: Row, side: string): string {
  const words: string[] = []
  const [ratio, target] = [row.ratios.get(side), row.targets.get(side)]
  // A figure that is none has neither met nor missed anything.
  if (target !== undefined && ratio !== undefined && Number.isFinite(ratio.median))
    words.push(met(row, ratio.median, target))
  if (ratio !== undefined && Number.isFinite(ratio.median) && sideOf(ratio) === undefined) words.push('level')
  if (isNoisy(row, ratio)) words.push('noisy')
  return words.join(', ')
}

const met = ({ better }: Row, value: number, aim: number): string =>
  (better === 'higher' ? value >= aim : value <= aim) ? 'met' : 'missed'

/** Our own figure, where it is to keep a limit. */
function ownVerdict(row: Row, mine: Summary | undefined): readonly [target: string, verdict: string] {
  if (row.limit === undefined || mine === undefined) return ['', '']
  const text = `${row.better === 'higher' ? '≥' : '≤'} ${figure(row.limit)} ${row.unit}`
  return [text, Number.isFinite(mine.median) ? met(row, mine.median, row.limit) : '']
}

export const isNoisy = (row: Row, ratio: Summary | undefined): boolean =>
  row.otherShare > noisyShare || (ratio !== undefined && spread(ratio) > noisySpread)

export const heading = ['', 'unit', 'ours', 'other', 'figure', 'ratio', 'range', 'target', ''] as const

export function lines(rows: readonly Row[]): string[][] {
  return rows.flatMap((row) => {
    const mine = row.sides.get('ours')
    const own = mine === undefined ? '' : figure(mine.median)
    const others = [...row.sides].filter(([name]) => name !== 'ours')
    if (others.length === 0) return [[row.label, row.unit, own, '', '', '', '', ...ownVerdict(row, mine)]]
    return others.map(([name, summary]) => {
      const ratio = row.ratios.get(name)
      const compared = ratio === undefined ? ['', ''] : [ratioText(ratio), rangeText(ratio)]
      const judged = [targetText(row, name), verdict(row, name)]
      return [row.label, row.unit, own, name, figure(summary.median), ...compared, ...judged]
    })
  })
}
