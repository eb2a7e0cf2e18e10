/** The threads that encode and write logs. */
import type { LogTasks } from '../../shared/audit/log-task.ts'
import type { Log } from '../../shared/log.ts'
import { createPool, type Pool } from './pool.ts'

const isSource = import.meta.url.endsWith('.ts')
const tasks = new URL(`../../workers/pool/tasks.${isSource ? 'ts' : 'js'}`, import.meta.url)
/**
 * Who types comes first where processors are short. Not nicer: a machine that is busy with other things would give them so
 * little that sessions had to wait for their records.
 */
const nice = 5
/** As many as may have their turn, and those whose turn is over but whose thread hangs. */
const queue = 1024

/** `module` has the tasks, if it is not the usual one. */
export const openThreads = (threads: number, log: Log, graceMs: number, module = tasks): Pool<LogTasks> =>
  createPool<LogTasks>({
    ...{ module, threads, kept: 1, queue, graceMs, nice },
    failed: (cause) => log.emit('AUDIT_THREAD_FAILED', {}, { cause }),
  })
