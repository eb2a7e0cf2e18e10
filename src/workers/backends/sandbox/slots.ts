/**
 * Numbers of sandboxes. Each is a folder in `sandbox.directory`, which only one process can make, with a mark that says
 * whose it is: so workers and daemons share the user IDs without a word, and what a dead one left can be found.
 */
import { lstat, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fault } from '../../../shared/codes/fault.ts'
import { newId } from '../../../shared/id.ts'
import { type Identity, ownerState } from '../../../shared/identity.ts'
import type { Log } from '../../../shared/log.ts'
import { runtimeFolder } from '../../../shared/runtime-folder.ts'
import type { SandboxSettings } from './room.ts'

export interface Slot {
  /** Of the sandbox, 12 hex digits. */
  readonly id: string
  readonly folder: string
  /** Of the machine; undefined: that of the daemon. */
  readonly uid: number | undefined
  /** @throws Error */
  free(): Promise<void>
}

export interface Slots {
  /** @throws Fault SANDBOX_FULL, SANDBOX_START_FAILED */
  take(connectionId: string): Promise<Slot>
  /** Frees those of dead processes, and gives their number. Never rejects. */
  reap(log: Log, signal: AbortSignal): Promise<number>
}

/** What stands in a mark. */
export interface Mark {
  readonly id: string
  readonly owner: string
  readonly connectionId: string
}

/** A folder without a mark is one that is being made, or was never finished. */
const unmarkedMs = 60_000
const isRoot = (): boolean => process.getuid?.() === 0
const MARK = 'mark.json'
/** To whom the folder belongs: others may look for what is meant for them, and nothing else. */
const mode = 0o711

/** @throws Error with a sentence */
export async function sandboxDirectory({ directory }: SandboxSettings): Promise<string> {
  const path = directory === '' ? defaultDirectory() : directory
  await mkdir(path, { recursive: true, mode })
  const found = await lstat(path)
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0) {
    throw new Error(`${path} is not a folder of our own that only we can write to`)
  }
  if (isRoot() && (found.mode & 0o001) === 0) {
    throw new Error(`${path} is closed to the user IDs of sandboxes; expected mode 0711`)
  }
  return path
}

/** Not systemd's: it has to be the same for all daemons that share the user IDs. */
const defaultDirectory = (): string => runtimeFolder({ ...process.env, RUNTIME_DIRECTORY: '' })

export function createSlots(directory: string, { first, count }: SandboxSettings['ids'], identity: Identity): Slots {
  /** Workers begin at different places, so that they seldom try the same. */
  let next = process.pid % count
  const claim = async (): Promise<number> => {
    for (let tries = 0; tries < count; tries += 1) {
      const number = first + next
      next = (next + 1) % count
      try {
        await mkdir(join(directory, String(number)), { mode: 0o700 })
        return number
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
          throw fault('SANDBOX_START_FAILED', { reason: (error as Error).message }, { cause: error })
        }
      }
    }
    throw fault('SANDBOX_FULL', { limit: count })
  }
  return {
    async take(connectionId) {
      const number = await claim()
      const id = newId().slice(0, 12)
      const folder = join(directory, String(number))
      const free = (): Promise<void> => rm(folder, { recursive: true, force: true })
      const mark: Mark = { id, owner: identity.owner, connectionId }
      try {
        await writeFile(join(folder, MARK), JSON.stringify(mark))
      } catch (error) {
        await free()
        throw fault('SANDBOX_START_FAILED', { reason: (error as Error).message }, { cause: error })
      }
      return { id, folder, uid: isRoot() ? number : undefined, free }
    },
    async reap(log, signal) {
      let freed = 0
      try {
        for (const { folder, mark } of await marksIn(directory)) {
          if (signal.aborted) break
          const isOver = mark === undefined ? await isOld(folder) : ownerState(mark.owner) === 'dead'
          if (!isOver) continue
          await rm(folder, { recursive: true, force: true })
          freed += 1
          log.emit('SANDBOX_REAPED', { sandboxId: mark?.id ?? '', owner: mark?.owner ?? '' })
        }
      } catch (error) {
        log.emit('SANDBOX_REAP_FAILED', { reason: (error as Error).message }, { cause: error })
      }
      return freed
    },
  }
}

/** Of all sandboxes of the machine that keep their marks there. @throws Error */
export async function marksIn(
  directory: string,
): Promise<readonly { readonly folder: string; readonly mark: Mark | undefined }[]> {
  const names = (await readdir(directory)).filter((name) => /^\d+$/.test(name))
  return Promise.all(
    names.map(async (name) => {
      const folder = join(directory, name)
      const text = await readFile(join(folder, MARK), 'utf8').catch(() => '') // just gone, or not there yet
      return { folder, mark: parse(text) }
    }),
  )
}

/** Undefined: there is none, or half of one. */
function parse(text: string): Mark | undefined {
  try {
    return JSON.parse(text) as Mark // nobody else can write there
  } catch {
    return undefined
  }
}

const isOld = async (folder: string): Promise<boolean> => {
  const found = await stat(folder).catch(() => undefined)
  return found !== undefined && Date.now() - found.mtimeMs > unmarkedMs
}
