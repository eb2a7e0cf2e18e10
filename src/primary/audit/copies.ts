/** The files of one log as descriptors: made, flushed to the disk, closed. */
import { type Copy, type LogFile, newLogFile } from '../../shared/audit/log-task.ts'
import type { Log } from '../../shared/log.ts'
import { count } from '../../shared/metric.ts'
import type { Place } from './place.ts'

/** What could not be done with a file, on the way to the log of the daemon. */
export type Complaint = (
  step: 'open' | 'write' | 'sync',
  name: string,
  folder: string | undefined,
  reason: string,
) => void

export const complaintsTo =
  (log: Log): Complaint =>
  (step, name, folder, reason) => {
    count('containerssh_audit_storage_failures_total', { step })
    const labels = { log: name, folder, reason }
    if (step === 'open') log.emit('AUDIT_OPEN_FAILED', labels)
    else log.emit('AUDIT_WRITE_FAILED', labels)
  }

/** With a copy wherever one could be made. */
export async function createCopies(name: string, places: readonly Place[], complain: Complaint): Promise<LogFile> {
  const copies: Copy[] = []
  await Promise.all(
    places.map(async ({ folder }) => {
      try {
        copies.push({ folder: folder.path, descriptor: await folder.create(name) })
        folder.syncNames().catch((error: Error) => complain('sync', name, folder.path, error.message))
      } catch (error) {
        complain('open', name, folder.path, (error as Error).message)
      }
    }),
  )
  return newLogFile(name, copies)
}

/** Flushes what was written. True: all of it is on the disk. */
export async function syncCopies(
  { name, copies }: LogFile,
  places: readonly Place[],
  complain: Complaint,
): Promise<boolean> {
  const done = await Promise.all(
    copies.map(async ({ folder: path, descriptor }) => {
      try {
        await folderOf(places, path)?.sync(descriptor)
        return true
      } catch (error) {
        complain('sync', name, path, (error as Error).message)
        return false
      }
    }),
  )
  return done.every((one) => one)
}

/** After this the files are their targets' business. */
export async function closeCopies(file: LogFile, places: readonly Place[], complain: Complaint): Promise<void> {
  await syncCopies(file, places, complain)
  for (const { folder: path, descriptor } of file.copies) {
    const place = places.find(({ folder }) => folder.path === path)
    await place?.folder.close(descriptor).catch((error: Error) => complain('sync', file.name, path, error.message))
    place?.target.closed(file.name, file.bytes)
  }
}

const folderOf = (places: readonly Place[], path: string) => places.find(({ folder }) => folder.path === path)?.folder
