/** The queue directory: that it can be used, and what an earlier run left in it. */
import { lstat, mkdir, open, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Fault, fault } from '../../../shared/codes/fault.ts'
import { type Lock, lockDirectory } from './lock.ts'
import { suffix, temporarySuffix } from './metadata.ts'

/** Longest path of a socket is 107 bytes on Linux; `/containerssh.lock` has 18. */
const longestDirectory = 88
const option = 'audit.s3.local'
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
    await makeDirectory(directory)
    await probe(join(directory, probeName))
    return await lockDirectory(directory)
  } catch (error) {
    if (error instanceof Fault) throw error
    const reason = error instanceof Error ? error.message : String(error)
    const cause = new Error(
      `${option}: ${JSON.stringify(directory)} cannot be used: ${reason}; expected a folder of this server's own`,
    )
    throw fault('CORE_CONFIG_ERROR', { option }, { cause })
  }
}

/** Step by step: where nothing can be made, as in /proc, Node's recursive way tries for ever. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, 0o700)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    const parent = dirname(path)
    if (code !== 'ENOENT' || parent === path) throw error
    await makeDirectory(parent)
    await mkdir(path, 0o700)
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
    const found = await lstat(path)
    return found.isFile() ? found.size : undefined
  } catch {
    return undefined
  }
}
