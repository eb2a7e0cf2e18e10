/** Files of audit logs: new ones, and bytes at their end. */
import { constants, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type Copy, type CopyFailure, type LogFile, newLogFile } from '../../../shared/audit/log-task.ts'

/** Never over what exists, nor through a link. */
const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const ownerOnly = 0o600

/** One in each of the folders; none of its copies could be made: undefined. */
export function create(name: string, folders: readonly string[], failures: CopyFailure[]): LogFile | undefined {
  const copies: Copy[] = []
  for (const folder of folders) {
    try {
      copies.push({ folder, descriptor: openSync(join(folder, name), newFile, ownerOnly) })
    } catch (error) {
      failures.push({ name, folder, descriptor: undefined, reason: (error as Error).message })
    }
  }
  return copies.length === 0 ? undefined : newLogFile(name, copies)
}

/** All bytes, or none that a reader could see: `file` with the copies that took them. */
export function append(file: LogFile, bytes: Uint8Array, failures: CopyFailure[]): LogFile {
  if (bytes.length === 0) return file
  const copies = file.copies.filter((copy) => {
    const reason = write(copy, bytes, file.bytes)
    if (reason !== undefined) failures.push({ name: file.name, ...copy, reason })
    return reason === undefined
  })
  return { ...file, copies, bytes: file.bytes + bytes.length }
}

/** What went wrong, if anything did. */
function write({ descriptor }: Copy, bytes: Uint8Array, at: number): string | undefined {
  try {
    // A write may take a part: a full disk says so only at the next one.
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(descriptor, bytes, done, bytes.length - done, at + done)
    }
    return undefined
  } catch (error) {
    const { message } = error as Error
    try {
      ftruncateSync(descriptor, at)
      return message
    } catch (second) {
      return `${message}; ${(second as Error).message}`
    }
  }
}
