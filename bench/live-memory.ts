/** What the processes of the daemon hold after a full collection: the bench asks each by signal, each answers in a file. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { lookAtLive } from '../test/soak/measured.ts'
import { pidsOf } from './proc.ts'

/** Whoever does not answer to it ignores it: that is what the kernel does with it, too. */
const question = 'SIGURG'
/** Of thousands of connections, on a machine where other servers are at work. */
const answerMs = 30_000
const pollMs = 10
const fileOf = (folder: string, pid: number): string => join(folder, `live-memory-${pid}`)

/** In the primary and in each worker. */
export function answerLiveMemory(folder: string): void {
  const look = lookAtLive()
  const file = fileOf(folder, process.pid)
  process.on(question, () => {
    writeFileSync(`${file}.new`, String(look().bytes))
    renameSync(`${file}.new`, file)
  })
}

/**
 * In the bench: bytes of objects and buffers that are alive in all processes of the server. What native code has taken from
 * the system's allocator is not in it. Throws an Error when one of them does not answer in time, and the signal's reason.
 */
export async function liveBytes(root: number, folder: string, signal: AbortSignal): Promise<number> {
  const pids = pidsOf(root)
  for (const pid of pids) {
    rmSync(fileOf(folder, pid), { force: true })
    process.kill(pid, question)
  }
  const limit = performance.now() + answerMs
  const files = pids.map((pid) => fileOf(folder, pid))
  while (!files.every(existsSync)) {
    if (performance.now() > limit) throw new Error(`one of the processes ${pids.join(', ')} does not tell its memory`)
    await sleep(pollMs, undefined, { signal })
  }
  return files.reduce((sum, file) => sum + Number(readFileSync(file, 'utf8')), 0)
}
