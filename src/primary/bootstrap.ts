/** The log before the configuration says where the log goes: level notice, ljson, one write per record. */
import { writeSync } from 'node:fs'
import type { ConfigErrors } from '../shared/config/problems.ts'
import { formatLine } from '../shared/log/format.ts'
import { createLog, type Level, type Log } from '../shared/log.ts'

/** `fd` 2 for commands whose result goes to standard output. */
export const bootstrapLog = (fd: 1 | 2, level: Level = 'notice'): Log =>
  createLog({
    level,
    labels: { module: 'core' },
    write: (record) => {
      try {
        writeSync(fd, formatLine(record, 'ljson'))
      } catch {
        // Nobody reads; the exit status tells as much.
      }
    },
  })

/** One record per wrong place. */
export const logConfigErrors = (log: Log, { file, lines }: ConfigErrors): void => {
  for (const cause of lines) log.emit('CORE_CONFIG_ERROR', { file }, { cause })
}
