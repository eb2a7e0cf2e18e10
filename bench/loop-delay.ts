/** How late the event loop of the daemon's primary is: the bench asks by signal, the daemon answers in a file. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

const answerMs = 5000
const fileOf = (folder: string): string => join(folder, 'loop-delay')

/** In the daemon. The first signal begins, each other one answers and begins anew. */
export function answerLoopDelay(folder: string): void {
  let delays: ReturnType<typeof monitorEventLoopDelay> | undefined
  process.on('SIGWINCH', () => {
    if (delays === undefined) {
      delays = monitorEventLoopDelay({ resolution: 1 })
      delays.enable()
    } else {
      writeFileSync(`${fileOf(folder)}.new`, String(delays.percentile(99) / 1e6))
      renameSync(`${fileOf(folder)}.new`, fileOf(folder))
      delays.reset()
    }
  })
}

/** In the bench: the 99th percentile since the last call, in ms. */
export async function loopDelayMs(pid: number, folder: string): Promise<number> {
  const file = fileOf(folder)
  rmSync(file, { force: true })
  process.kill(pid, 'SIGWINCH')
  const limit = performance.now() + answerMs
  while (!existsSync(file) && performance.now() < limit) await sleep(10)
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : Number.NaN
}
