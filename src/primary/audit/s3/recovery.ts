/** A log of an earlier run, or one that had to wait outside of memory, as an entry of the queue. */
import { rm } from 'node:fs/promises'
import { Fault } from '../../../shared/codes/fault.ts'
import { sizeOf } from './directory.ts'
import { createEntry, type Entry } from './entry.ts'
import { type Memory, readMemory, suffix, unknownFacts } from './metadata.ts'
import type { Work } from './work.ts'

/** Undefined: there is nothing to upload. */
export async function recover(work: Work, log: string, isOfEarlierRun: boolean): Promise<Entry | undefined> {
  const path = work.pathOf(log)
  const size = await sizeOf(path)
  if (size === undefined) return undefined
  if (size === 0) {
    // Its connection ended with the process, before anything was recorded.
    await rm(path, { force: true })
    await rm(path + suffix, { force: true })
    return undefined
  }
  if (isOfEarlierRun) work.log.emit('AUDIT_S3_RECOVERING', { log })
  const memory = await memoryOf(work, log, path)
  const entry = createEntry(log, memory.format ?? work.format, memory.facts, memory.upload)
  entry.size = size
  entry.isFinished = true
  entry.isSearched = !isOfEarlierRun && memory.upload === undefined
  return entry
}

async function memoryOf(work: Work, log: string, path: string): Promise<Memory> {
  try {
    return await readMemory(path, log)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    work.log.fault(error)
    return { facts: unknownFacts, format: undefined, upload: undefined }
  }
}

/** Tells of logs that are gone, and takes away what is left of them. */
export async function dropOrphans(work: Work, orphans: readonly string[]): Promise<void> {
  for (const log of orphans) {
    work.log.emit('AUDIT_S3_NO_SUCH_QUEUE_ENTRY', { log })
    await rm(work.pathOf(log) + suffix, { force: true }).catch(() => undefined)
  }
}
