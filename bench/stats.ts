/** Medians and spreads of small samples. */

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly samples: readonly number[]
}

export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? Number.NaN
  const middle = sorted.length / 2
  const median = sorted.length % 2 === 1 ? at(Math.floor(middle)) : (at(middle - 1) + at(middle)) / 2
  return { median, min: at(0), max: at(sorted.length - 1), samples }
}

/**
 * The ratio of the medians, with the smallest and the largest ratio of two samples of the same round as its spread:
 * what disturbed one round disturbed both sides of it.
 */
export function ratio(ours: readonly number[], theirs: readonly number[]): Summary {
  const pairs = ours.map((value, round) => value / (theirs[round] ?? Number.NaN)).filter(Number.isFinite)
  return { ...summarize(pairs), median: summarize(ours).median / summarize(theirs).median }
}

/** Half of the range over the median: 0.1 reads "plus or minus 10 %". */
export const spread = ({ median, min, max }: Summary): number => (max - min) / 2 / median

/** Of so few rounds the range says nothing, and so much stands for it. */
const [rangeRounds, tolerance] = [3, 0.25]

/** Where a ratio lies: below or above 1 as far as the rounds go; undefined: the range spans 1, and nobody wins. */
export function sideOf({ median, min, max, samples }: Summary): 'below' | 'above' | undefined {
  const isShort = samples.length < rangeRounds
  const [low, high] = isShort ? [median / (1 + tolerance), median * (1 + tolerance)] : [min, max]
  if (high < 1) return 'below'
  return low > 1 ? 'above' : undefined
}

/** The sample that `part` of them do not exceed: 0.99 for the 99th percentile. */
export function percentile(samples: readonly number[], part: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN
}

/** Of the line of least squares through the points. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))]
  const sum = (of: (x: number, y: number) => number): number => points.reduce((all, [x, y]) => all + of(x, y), 0)
  return sum((x, y) => (x - meanX) * (y - meanY)) / sum((x) => (x - meanX) ** 2)
}
