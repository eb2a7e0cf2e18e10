/**
 * On SIGWINCH, which means nothing else to a daemon, the process collects its garbage and writes what is left to a file:
 * resident memory alone says little, because V8 and the allocator keep what they may need again.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface Live {
  /** JavaScript's heap, and what buffers have outside of it. */
  readonly bytes: number
  /** Sockets, timers and requests that keep the event loop alive. */
  readonly handles: number
}

/** What collects the garbage of this process and says what is left. */
export function lookAtLive(): () => Live {
  setFlagsFromString('--expose-gc')
  const collect: (options: object) => void = runInNewContext('gc')
  return () => {
    // Again and again, until nothing more comes free, and no page is kept for later: at rest V8 does so too, but seconds after
    // its last work.
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    const { heapUsed, external } = process.memoryUsage()
    return { bytes: heapUsed + external, handles: process.getActiveResourcesInfo().length }
  }
}

export function answerMeasurements(): void {
  const folder = process.env['SOAK_FOLDER']
  if (folder === undefined) return
  const look = lookAtLive()
  process.on('SIGWINCH', () => writeFileSync(join(folder, `live-${process.pid}`), JSON.stringify(look())))
}
