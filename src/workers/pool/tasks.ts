/** What the threads run that write audit logs; those that upload them run `uploads.ts`. */
import type { LogOutcome, LogSettings, LogStored, LogWork } from '../../shared/audit/log-task.ts'
import { type Load, type Outcomes, packOutcome, readWork } from '../../shared/audit/log-wire.ts'
import { storeCasts } from './casts.ts'
import { encode } from './encode.ts'
import { task } from './task.ts'

export const store = task(async ({ settings, works }: Load): Promise<Outcomes> => {
  const outcomes: Outcomes[number][] = []
  // One after the other: they share memory to work in.
  for (const list of works) {
    const work = readWork(list)
    outcomes.push(packOutcome(await outcomeOf(work, settings), work.state))
  }
  return outcomes
})

/** A log that fails does so alone. */
async function outcomeOf(work: LogWork, settings: LogSettings): Promise<LogOutcome> {
  try {
    return await storeOne(work, settings)
  } catch (error) {
    return { reason: (error as Error).message }
  }
}

const storeOne = (work: LogWork, settings: LogSettings): Promise<LogStored> =>
  settings.format === 'asciinema' ? storeCasts(work, settings) : encode(work, settings, settings.format)
