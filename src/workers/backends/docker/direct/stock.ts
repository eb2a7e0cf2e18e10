/** FIFOs made ahead (fifo(7)), three for each program: Node makes none, and a process for each program would cost more than they save. */
import { execFile } from 'node:child_process'
import { renameSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { aborted } from '../../../../shared/deadline.ts'
import { newId } from '../../../../shared/id.ts'

/** Of a program's streams: `<name>.in`, `<name>.out`, `<name>.err`. */
export const ends = ['in', 'out', 'err'] as const

export interface Stock {
  /** Has some made if there are few. Never rejects. */
  prepare(): void
  /** Puts three into a folder of the same file system; gives their common name. @throws Error with a sentence */
  take(folder: string, signal: AbortSignal): Promise<string>
}

const batch = 64
const low = 32
const makeMs = 10_000
/** Whoever a container runs its programs as has to open them: what closes them to others is the folder above. */
const mode = '666'

export function createStock(folder: string): Stock {
  // Several workers may put theirs into the folder of a shared container.
  const prefix = newId().slice(0, 16)
  let made = 0
  const ready: string[] = []
  let making: Promise<void> | undefined

  const make = async (): Promise<void> => {
    await mkdir(folder, { recursive: true })
    const names = Array.from({ length: batch }, (_, at) => `${prefix}-${made + at}`)
    made += batch
    const paths = names.flatMap((name) => ends.map((end) => join(folder, `${name}.${end}`)))
    await promisify(execFile)('mkfifo', ['-m', mode, ...paths], { timeout: makeMs })
    ready.push(...names)
  }
  const refill = (): Promise<void> => {
    making ??= make().finally(() => {
      making = undefined
    })
    return making
  }
  const prepare = (): void => {
    // Whoever takes one hears of it.
    if (ready.length < low) refill().catch(() => undefined)
  }
  return {
    prepare,
    async take(target, signal) {
      // Others may wait for the same batch, and be many.
      while (ready.length === 0) {
        await Promise.race([refill(), aborted(signal)])
        signal.throwIfAborted()
      }
      const name = ready.shift() ?? ''
      prepare()
      // In memory, so it does not wait; a turn of the event loop and a thread each would take longer.
      for (const end of ends) renameSync(join(folder, `${name}.${end}`), join(target, `${name}.${end}`))
      return name
    },
  }
}
