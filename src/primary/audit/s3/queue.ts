/** All logs that are not uploaded yet. So many complete ones are worked on; the others wait as a name. */
import { asFault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import { sizeOf } from './directory.ts'
import { drive, type Ending } from './drive.ts'
import { type Entry, nextStep } from './entry.ts'
import { recover } from './recovery.ts'
import { takeBack } from './search.ts'
import type { Work } from './work.ts'

export interface Queue {
  add(entry: Entry): Entry
  find(log: string): Entry | undefined
  /** There may be something to do for it. */
  push(entry: Entry): void
  /** It will not grow any more. */
  finish(entry: Entry): void
  /** Logs of an earlier run. Does its work in the background. */
  recover(logs: readonly string[]): void
  /** Complete logs that are not uploaded. */
  size(): { readonly logs: number; readonly bytes: number }
  /** Resolves when everything is uploaded that can be, or soon after the abort. */
  stop(deadline: AbortSignal): Promise<void>
}

/** For uploads that a later run could not go on with. */
const lastAbortMs = 1000

export function createQueue(work: Work, mostActive: number): Queue {
  const entries = new Map<string, Entry>()
  /** By name: its bytes, and whether it is of an earlier run. */
  const waiting = new Map<string, { readonly bytes: number; readonly isOld: boolean }>()
  const running = new Set<Promise<void>>()
  /** `pending`: on their way to `waiting`. */
  const total = { active: 0, pending: 0, bytes: 0 }

  const run = (task: Promise<void>): void => {
    const settled: Promise<void> = task
      .catch((error: unknown) => work.log.fault(asFault(error)))
      .finally(() => running.delete(settled))
    running.add(settled)
  }
  const push = (entry: Entry): void => {
    if (entry.isBusy || nextStep(entry, work.settings.uploadPartSize, work.settings.verify) === 'wait') return
    entry.isBusy = true
    run(follow(entry))
  }
  const follow = async (entry: Entry): Promise<void> => {
    let ending: Ending = 'left'
    try {
      ending = await drive(work, entry)
      if (ending === 'left') await leave(work, entry)
    } finally {
      entry.isBusy = false
    }
    if (ending === 'waiting') return push(entry)
    // A log that still grows is met again when it has grown.
    if (!entry.isFinished && ending !== 'gone') return
    entries.delete(entry.log)
    release(entry.size)
  }
  const occupy = (bytes: number): void => {
    total.active++
    total.bytes += bytes
  }
  const release = (bytes: number): void => {
    total.active--
    total.bytes -= bytes
    fill()
  }
  /** The service is left alone at shutdown once it has failed. */
  const fill = (): void => {
    while (total.active < mostActive && !work.hasFailed()) {
      const [next] = waiting
      if (next === undefined) return
      const [log, { bytes, isOld }] = next
      waiting.delete(log)
      // What waits is counted already.
      total.active++
      run(begin(log, bytes, isOld))
    }
  }
  const begin = async (log: string, bytes: number, isOld: boolean): Promise<void> => {
    const entry = await recover(work, log, isOld).catch((error: unknown) => work.log.fault(asFault(error)))
    if (!entry) return release(bytes)
    total.bytes += entry.size - bytes
    entries.set(log, entry)
    push(entry)
  }
  const wait = (log: string, bytes: number, isOld: boolean): void => {
    waiting.set(log, { bytes, isOld })
    total.bytes += bytes
    fill()
  }
  const park = async (entry: Entry): Promise<void> => {
    // Without its file nobody would know whose log it is.
    const isSaved = await work.save(entry)
    total.pending--
    total.bytes -= entry.size
    if (isSaved) {
      entries.delete(entry.log)
      wait(entry.log, entry.size, false)
    } else {
      occupy(entry.size)
      push(entry)
    }
  }
  const collect = async (logs: readonly string[]): Promise<void> => {
    for (const log of logs) {
      const bytes = (await sizeOf(work.pathOf(log))) ?? 0
      total.pending--
      if (!work.stopping.aborted) wait(log, bytes, true)
    }
  }
  return {
    add(entry) {
      entries.set(entry.log, entry)
      return entry
    },
    find: (log) => entries.get(log),
    push,
    finish(entry) {
      if (total.active < mostActive || entry.isBusy) {
        occupy(entry.size)
        push(entry)
        return
      }
      total.pending++
      total.bytes += entry.size
      run(park(entry))
    },
    recover(logs) {
      total.pending += logs.length
      run(collect(logs))
    },
    size: () => ({ logs: total.active + total.pending + waiting.size, bytes: total.bytes }),
    async stop(deadline) {
      work.stop()
      const settled = async (): Promise<void> => {
        while (running.size > 0) await Promise.all(running)
        await Promise.all([...entries.values()].map((entry) => entry.saving))
      }
      const isOver = new Promise<void>((resolve) => {
        if (deadline.aborted) resolve()
        else deadline.addEventListener('abort', () => resolve(), { once: true })
      })
      await Promise.race([settled(), isOver])
      const doomed = Promise.all([...entries.values()].map((entry) => leave(work, entry)))
      await Promise.race([doomed, sleep(lastAbortMs)])
      work.end()
    },
  }
}

/** An upload that is written down is gone on with at the next start. Any other would only cost money. */
async function leave(work: Work, entry: Entry): Promise<void> {
  const { upload } = entry
  if (upload === undefined || upload.isRemembered || entry.isStored) return
  entry.upload = undefined
  await takeBack(work, entry, upload.id, 'shutdown')
}
