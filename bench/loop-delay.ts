/** How late the event loop of the daemon's primary is: the bench asks by signal, the daemon answers in a file. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

const answerMs = 5000
const fileOf = (folder: string): string => join(folder, 'loop-delay')

/** In the daemon. Each signal answers and begins anew; there is nothing to answer to the first one but that it has begun. */
export function answerLoopDelay(folder: string): void {
  let delays: ReturnType<typeof monitorEventLoopDelay> | undefined
  process.on('SIGWINCH', () => {
    writeFileSync(`${fileOf(folder)}.new`, String((delays?.percentile(99) ?? Number.NaN) / 1e6))
    renameSync(`${fileOf(folder)}.new`, fileOf(folder))
    delays ??= monitorEventLoopDelay({ resolution: 1 })
    delays.enable()
    delays.reset()
  })
}

/** In the bench: the 99th percentile since the last call, in ms; NaN the first time. */
export async function loopDelayMs(pid: number, folder: string): Promise<number> {
  const file = fileOf(folder)
  rmSync(file, { force: true })
  process.kill(pid, 'SIGWINCH')
  const limit = performance.now() + answerMs
  while (!existsSync(file) && performance.now() < limit) await sleep(10)
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : Number.NaN
}
