/** The folder of one target: new files in it, and what is in them made to survive a power loss. */
import { close, constants, fdatasync, fsync, open } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createTurns } from '../../shared/turns.ts'

const [openFile, closeFile, syncData, syncAll] = [
  promisify(open),
  promisify(close),
  promisify(fdatasync),
  promisify(fsync),
]

/** Never over what exists, nor through a link. */
const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const ownerOnly = 0o600
/** Of the four threads in which Node waits for the disk: name look-ups and new logs need the others. */
const syncsAtOnce = 2

export interface Folder {
  readonly path: string
  /** A new file, empty. @throws Error of the operating system */
  create(name: string): Promise<number>
  /** What was written to the file is on the disk. @throws Error of the operating system */
  sync(descriptor: number): Promise<void>
  /** The names of all files made so far are on the disk. @throws Error of the operating system */
  syncNames(): Promise<void>
  close(descriptor: number): Promise<void>
}

export function openFolder(path: string): Folder {
  const turns = createTurns(syncsAtOnce, Number.POSITIVE_INFINITY)
  let next: Promise<void> | undefined
  let current: Promise<void> = Promise.resolve()
  const syncPath = async (): Promise<void> => {
    await current.catch(() => undefined)
    next = undefined
    const descriptor = await openFile(path, constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      await syncAll(descriptor)
    } finally {
      await closeFile(descriptor)
    }
  }
  return {
    path,
    create: (name) => openFile(join(path, name), newFile, ownerOnly),
    async sync(descriptor) {
      await turns.enter(undefined)
      try {
        await syncData(descriptor)
      } finally {
        turns.leave()
      }
    },
    // One that has begun may be too early for the name that was made now: the next one is for all who ask meanwhile.
    syncNames() {
      if (next === undefined) {
        next = syncPath()
        current = next
      }
      return next
    },
    close: (descriptor) => closeFile(descriptor),
  }
}
