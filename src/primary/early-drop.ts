/** Random early drop: sshd_config(5), MaxStartups. */

/** Keys of the section `ssh`: `maxStartups`, `maxStartupsStart`, and `maxStartupsRate` in per cent. */
export interface EarlyDrop {
  readonly start: number
  readonly rate: number
  /** 0: no limit. */
  readonly full: number
}

/**
 * The probability, 0 to 1, of refusing one more connection while `pending` have not logged in: nothing below `start`, the
 * rate at `start`, growing linearly to certainty at `full`.
 */
export function dropProbability(pending: number, { start, rate, full }: EarlyDrop): number {
  if (full === 0) return 0
  if (pending >= full) return 1
  if (pending < start) return 0
  const least = rate / 100
  return least + ((1 - least) * (pending - start)) / (full - start)
}
