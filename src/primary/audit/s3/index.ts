/**
 * Audit logs in the S3 storage. Each log is written to a file in the queue directory; its parts go up while it grows, and
 * what is left once it is complete. The file stays until the service has all of it.
 */
import type { Target } from '../target.ts'
import { findLeftovers, takeDirectory } from './directory.ts'
import { createEntry, type Entry } from './entry.ts'
import type { Lock } from './lock.ts'
import { unknownFacts } from './metadata.ts'
import { Queue } from './queue.ts'
import { dropOrphans } from './recovery.ts'
import { Work, type WorkOptions } from './work.ts'

export interface S3Target extends Target {
  readonly name: 's3'
  /** Complete logs that are not uploaded yet. */
  readonly queue: () => ReturnType<Queue['size']>
}
export interface S3TargetOptions extends WorkOptions {
  /** Complete logs of which everything is in memory; others wait as a name. */
  readonly mostActive?: number
}

const usualActive = 256

export function createS3Target(options: S3TargetOptions): S3Target {
  const work = new Work(options)
  const queue = new Queue(work, options.mostActive ?? usualActive)
  let lock: Lock | undefined
  const entryOf = (log: string): Entry => queue.find(log) ?? queue.add(createEntry(log, work.format, unknownFacts))
  /** In the background: what goes wrong is told where it happens. */
  const save = (entry: Entry): void => void work.save(entry)
  return {
    name: 's3',
    directory: work.settings.local,
    queue: () => queue.size(),
    async start() {
      const directory = work.settings.local
      lock = await takeDirectory(directory)
      const { logs, orphans } = await findLeftovers(directory)
      queue.recover(logs)
      await dropOrphans(work, orphans)
    },
    opened(log, facts) {
      save(queue.add(createEntry(log, work.format, facts)))
    },
    described(log, facts) {
      const entry = entryOf(log)
      entry.facts = facts
      save(entry)
    },
    grown(log, bytes) {
      const entry = entryOf(log)
      entry.size = bytes
      queue.push(entry)
    },
    closed(log, bytes) {
      const entry = entryOf(log)
      entry.size = bytes
      entry.isFinished = true
      queue.finish(entry)
    },
    async stop(deadline) {
      await queue.stop(deadline)
      await lock?.release()
    },
  }
}
