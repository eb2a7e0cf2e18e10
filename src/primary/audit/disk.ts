/** Whether there is room for what sessions will do: looked at again and again, since others fill disks too. */
import { statfs } from 'node:fs/promises'
import type { Log } from '../../shared/log.ts'

const LOOK_MS = 1000

export interface DiskWatch {
  /** Less is free than should be, somewhere. */
  readonly isLow: boolean
  stop(): void
}

/** The first look is over when this resolves. A file system that does not answer has room, as far as we know. */
export async function watchDisks(folders: readonly string[], lowBytes: number, log: Log): Promise<DiskWatch> {
  const low = new Set<string>()
  const look = async (folder: string): Promise<void> => {
    const freeBytes = await freeOf(folder)
    if (freeBytes === undefined || freeBytes < lowBytes === low.has(folder)) return
    if (freeBytes < lowBytes) {
      low.add(folder)
      log.emit('AUDIT_DISK_LOW', { folder, freeBytes, lowDiskBytes: lowBytes })
    } else {
      low.delete(folder)
      log.emit('AUDIT_DISK_RECOVERED', { folder, freeBytes })
    }
  }
  let isLooking = false
  const lookAll = async (): Promise<void> => {
    if (isLooking) return
    isLooking = true
    await Promise.all(folders.map(look))
    isLooking = false
  }
  if (lowBytes > 0) await lookAll()
  const timer = lowBytes > 0 ? setInterval(() => void lookAll(), LOOK_MS).unref() : undefined
  return {
    get isLow() {
      return low.size > 0
    },
    stop: () => clearInterval(timer),
  }
}

/** For processes that are not root's. */
async function freeOf(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch {
    return undefined // gone: the next log says so
  }
}
