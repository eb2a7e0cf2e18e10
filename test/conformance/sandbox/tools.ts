/** The suite in sandboxes that each of the tools makes. */
import { describe } from 'node:test'
import { tryIn } from '../matrix.ts'
import { rows } from '../rows.ts'
import { sandboxes } from './rig.ts'

/** Of the section `sandbox`. Without a bound for the number of files, bubblewrap leaves nothing to the first process. */
const ways = {
  'by bubblewrap': { tool: 'bwrap' },
  'by bubblewrap alone': { tool: 'bwrap', limits: { inodes: 0 } },
  'by unshare': { tool: 'unshare' },
} as const

export function tryTools(): void {
  for (const [name, section] of Object.entries(ways)) {
    describe(name, () => {
      tryIn(
        rows.filter(({ engine }) => engine === 'sandbox'),
        sandboxes(section),
      )
    })
  }
}
