/** The threads that encode and write logs. */
import type { LogTasks } from '../../shared/audit/log-task.ts'
import type { Log } from '../../shared/log.ts'
import { createPool, type Pool } from './pool.ts'

const isSource = import.meta.url.endsWith('.ts')
const tasks = new URL(`../../workers/pool/tasks.${isSource ? 'ts' : 'js'}`, import.meta.url)
/** As many as may have their turn, and those whose turn is over but whose thread hangs. */
const queue = 1024

/** `module` has the tasks, if it is not the usual one. */
export const openThreads = (threads: number, log: Log, graceMs: number, module = tasks): Pool<LogTasks> =>
  createPool<LogTasks>({
    ...{ module, threads, kept: 1, queue, graceMs },
    failed: (cause) => log.emit('AUDIT_THREAD_FAILED', {}, { cause }),
  })
