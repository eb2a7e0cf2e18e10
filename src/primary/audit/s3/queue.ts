/** All logs that are not uploaded yet. So many complete ones are worked on; the others wait as a name. */
import { asFault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import { sizeOf } from './directory.ts'
import { drive, type Ending } from './drive.ts'
import { type Entry, nextStep } from './entry.ts'
import { recover } from './recovery.ts'
import { takeBack } from './search.ts'
import type { Work } from './work.ts'

/** For uploads that a later run could not go on with. */
const lastAbortMs = 1000

export class Queue {
  readonly #work: Work
  readonly #mostActive: number
  readonly #entries = new Map<string, Entry>()
  /** By name. `isOld`: of an earlier run. */
  readonly #waiting = new Map<string, { readonly bytes: number; readonly isOld: boolean }>()
  readonly #running = new Set<Promise<void>>()
  #active = 0
  /** On their way to those that wait. */
  #pending = 0
  #bytes = 0

  constructor(work: Work, mostActive: number) {
    this.#work = work
    this.#mostActive = mostActive
  }

  add(entry: Entry): Entry {
    this.#entries.set(entry.log, entry)
    return entry
  }

  find(log: string): Entry | undefined {
    return this.#entries.get(log)
  }

  /** Complete logs that are not uploaded. */
  size(): { readonly logs: number; readonly bytes: number } {
    return { logs: this.#active + this.#pending + this.#waiting.size, bytes: this.#bytes }
  }

  /** There may be something to do for it. */
  push(entry: Entry): void {
    const { uploadPartSize, verify } = this.#work.settings
    if (entry.isBusy || nextStep(entry, uploadPartSize, verify) === 'wait') return
    entry.isBusy = true
    this.#run(this.#follow(entry))
  }

  /** It will not grow any more. */
  finish(entry: Entry): void {
    this.#bytes += entry.size
    if (this.#active < this.#mostActive || entry.isBusy) {
      this.#active++
      this.push(entry)
    } else {
      this.#pending++
      this.#run(this.#park(entry))
    }
  }

  /** Logs of an earlier run. Does its work in the background. */
  recover(logs: readonly string[]): void {
    this.#pending += logs.length
    this.#run(this.#collect(logs))
  }

  /** Resolves when everything is uploaded that can be, or soon after the abort. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#work.stop()
    const isOver = new Promise<void>((resolve) => {
      if (deadline.aborted) resolve()
      else deadline.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.race([this.#settled(), isOver])
    const doomed = Promise.all([...this.#entries.values()].map((entry) => leave(this.#work, entry)))
    await Promise.race([doomed, sleep(lastAbortMs)])
    this.#work.end()
  }

  async #settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
    await Promise.all([...this.#entries.values()].map((entry) => entry.saving))
  }

  #run(task: Promise<void>): void {
    const settled: Promise<void> = task
      .catch((error: unknown) => this.#work.log.fault(asFault(error)))
      .finally(() => this.#running.delete(settled))
    this.#running.add(settled)
  }

  async #follow(entry: Entry): Promise<void> {
    let ending: Ending = 'left'
    try {
      ending = await drive(this.#work, entry)
      if (ending === 'left') await leave(this.#work, entry)
    } finally {
      entry.isBusy = false
    }
    if (ending === 'waiting') return this.push(entry)
    // A log that still grows is met again when it has grown.
    if (!entry.isFinished && ending !== 'gone') return
    this.#entries.delete(entry.log)
    this.#release(entry.size)
  }

  #release(bytes: number): void {
    this.#active--
    this.#bytes -= bytes
    this.#fill()
  }

  #fill(): void {
    while (this.#active < this.#mostActive && !this.#work.hasFailed) {
      const [next] = this.#waiting
      if (next === undefined) return
      const [log, { bytes, isOld }] = next
      this.#waiting.delete(log)
      this.#active++
      this.#run(this.#begin(log, bytes, isOld))
    }
  }

  async #begin(log: string, bytes: number, isOld: boolean): Promise<void> {
    const entry = await recover(this.#work, log, isOld).catch((error: unknown) => this.#work.log.fault(asFault(error)))
    if (!entry) return this.#release(bytes)
    this.#bytes += entry.size - bytes
    this.push(this.add(entry))
  }

  /** Without its file nobody would know whose log it is: then it stays in memory. */
  async #park(entry: Entry): Promise<void> {
    const isSaved = await this.#work.save(entry)
    this.#pending--
    if (isSaved) {
      this.#entries.delete(entry.log)
      this.#waiting.set(entry.log, { bytes: entry.size, isOld: false })
      this.#fill()
    } else {
      this.#active++
      this.push(entry)
    }
  }

  async #collect(logs: readonly string[]): Promise<void> {
    for (const log of logs) {
      const bytes = (await sizeOf(this.#work.pathOf(log))) ?? 0
      this.#pending--
      if (this.#work.isStopping) continue
      this.#bytes += bytes
      this.#waiting.set(log, { bytes, isOld: true })
      this.#fill()
    }
  }
}

/** An upload that is written down is gone on with at the next start. Any other would only cost money. */
async function leave(work: Work, entry: Entry): Promise<void> {
  const { upload } = entry
  if (upload === undefined || upload.isRemembered || entry.isStored) return
  entry.upload = undefined
  await takeBack(work, entry, upload.id, 'shutdown')
}
