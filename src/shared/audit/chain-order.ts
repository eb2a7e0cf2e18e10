/** Whether messages stand in the order of their numbers, and which are missing. */
import type { Find, Mark } from './chain-findings.ts'

export interface ChainOrder {
  /** The next message of the log. False: it is not the one that belongs here. */
  take(at: Mark, seq: number): boolean
  /** Nothing more comes: what has not come is missing. */
  end(): void
}

interface Gap {
  readonly first: number
  readonly last: number
  readonly before: Mark
}
/** Places with missing messages that are remembered; a log with more of them is damaged beyond doubt. */
const mostGaps = 1000

export function createChainOrder(find: Find): ChainOrder {
  let expected = 0
  const gaps: Gap[] = []
  return {
    take(at, seq) {
      const isNext = seq === expected
      if (seq >= expected) {
        if (!isNext && gaps.length < mostGaps) gaps.push({ first: expected, last: seq - 1, before: at })
        expected = seq + 1
        return isNext
      }
      find({ kind: fill(gaps, seq) ? 'moved' : 'repeated', at })
      return false
    },
    end() {
      for (const gap of gaps) find({ kind: 'removed', ...gap })
    },
  }
}

/** Whether it is one of the missing ones, which has come after others. */
function fill(gaps: Gap[], seq: number): boolean {
  const index = gaps.findIndex(({ first, last }) => first <= seq && seq <= last)
  const gap = gaps[index]
  if (gap === undefined) return false
  const parts = [
    { ...gap, last: seq - 1 },
    { ...gap, first: seq + 1 },
  ]
  gaps.splice(index, 1, ...parts.filter(({ first, last }) => first <= last))
  return true
}
