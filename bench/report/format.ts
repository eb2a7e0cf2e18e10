/** How figures and ratios read, in the terminal and in the report. */
import type { Row } from '../question.ts'
import { type Summary, spread } from '../stats.ts'

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
export const targetText = ({ target, better }: Row): string => {
  if (target === undefined) return ''
  if (better === 'higher') return `≥ ${figure(target)}`
  return target < 0.34 ? `≤ 1/${figure(1 / target)}` : `≤ ${figure(target)}`
}

/** What to think of a row: `met`, `missed`, and `noisy` when the figures should not be trusted. */
export function verdict(row: Row, ratio: Summary | undefined): string {
  const words: string[] = []
  if (row.target !== undefined && ratio !== undefined) {
    const isMet = row.better === 'higher' ? ratio.median >= row.target : ratio.median <= row.target
    words.push(isMet ? 'met' : 'missed')
  }
  if (isNoisy(row, ratio)) words.push('noisy')
  return words.join(', ')
}

export const isNoisy = (row: Row, ratio: Summary | undefined): boolean =>
  row.otherShare > noisyShare || (ratio !== undefined && spread(ratio) > noisySpread)

export const heading = ['', 'unit', 'ours', 'other', 'figure', 'ratio', 'range', 'target', ''] as const

export function lines(rows: readonly Row[]): string[][] {
  return rows.flatMap((row) => {
    const mine = row.sides.get('ours')
    const own = mine === undefined ? '' : figure(mine.median)
    const others = [...row.sides].filter(([name]) => name !== 'ours')
    if (others.length === 0) return [[row.label, row.unit, own, '', '', '', '', targetText(row), '']]
    return others.map(([name, summary]) => {
      const ratio = row.ratios.get(name)
      const compared = ratio === undefined ? ['', ''] : [ratioText(ratio), rangeText(ratio)]
      const target = name === 'sshd' || others.length === 1 ? targetText(row) : ''
      return [row.label, row.unit, own, name, figure(summary.median), ...compared, target, verdict(row, ratio)]
    })
  })
}
