/** The queue directory: that it can be used, and what an earlier run left in it. */
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault, fault } from '../../../shared/codes/fault.ts'
import { type Lock, lockDirectory } from './lock.ts'
import { suffix, temporarySuffix } from './metadata.ts'

/** Longest path of a socket is 107 bytes on Linux; `/containerssh.lock` has 18. */
const longestDirectory = 88
const probeName = 'containerssh.probe'
/** A full disk can only become empty by uploading. */
const full = new Set(['ENOSPC', 'EDQUOT'])

/**
 * Makes the directory if it is not there.
 * @throws Fault
 */
export async function takeDirectory(directory: string): Promise<Lock> {
  try {
    if (Buffer.byteLength(directory) > longestDirectory) {
      throw new Error(`the path is longer than ${longestDirectory} bytes`)
    }
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await probe(join(directory, probeName))
    return await lockDirectory(directory)
  } catch (error) {
    throw error instanceof Fault ? error : fault('AUDIT_S3_QUEUE_UNUSABLE', { directory }, { cause: error })
  }
}

async function probe(path: string): Promise<void> {
  try {
    const handle = await open(path, 'w', 0o600)
    await handle.close()
    await rm(path)
  } catch (error) {
    if (!full.has((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

export interface Leftovers {
  /** Names of logs, without those that are empty. */
  readonly logs: readonly string[]
  /** Logs of which only the metadata is there. */
  readonly orphans: readonly string[]
}

/** Has to be called before the first log of this run exists. Removes what was never finished. */
export async function findLeftovers(directory: string): Promise<Leftovers> {
  const files = (await readdir(directory, { withFileTypes: true })).filter((entry) => entry.isFile())
  const names = new Set(files.map(({ name }) => name))
  for (const name of names) if (name.endsWith(temporarySuffix)) await rm(join(directory, name), { force: true })
  const logs = [...names].filter((name) => !name.includes('.'))
  const orphans = [...names]
    .filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length))
    .filter((name) => !names.has(name))
  return { logs, orphans }
}

/** Undefined: it is not there, or no file. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path)
    return found.isFile() ? found.size : undefined
  } catch {
    return undefined
  }
}
