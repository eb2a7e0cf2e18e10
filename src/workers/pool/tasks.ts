/** What the threads run that write audit logs; those that upload them run `uploads.ts`. */
import type { LogStored, LogWork } from '../../shared/audit/log-task.ts'
import { storeCasts } from './casts.ts'
import { encode } from './encode.ts'
import { task } from './task.ts'

export const store = task((work: LogWork): Promise<LogStored> => {
  const { format } = work.settings
  return format === 'asciinema' ? storeCasts(work) : encode(work, format)
})
