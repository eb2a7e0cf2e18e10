import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Runs `task` while no other test process runs one under the same name. The lock of a dead process does not count. */
export async function locked<T>(name: string, task: () => Promise<T>): Promise<T> {
  const path = join(tmpdir(), `containerssh-test-${name.replace(/[^a-z0-9]+/g, '-')}.lock`)
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' })
      break
    } catch {
      if (isStale(path)) rmSync(path, { force: true })
      else await sleep(50)
    }
  }
  try {
    return await task()
  } finally {
    rmSync(path, { force: true })
  }
}

function isStale(path: string): boolean {
  try {
    const pid = Number(readFileSync(path, 'utf8'))
    return pid > 0 && !existsSync(`/proc/${pid}`)
  } catch {
    return false // gone in the meantime
  }
}
