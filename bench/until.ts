/** Waiting for what others do. */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

const waitLimitMs = 120_000

/** Throws an Error when it has not come within two minutes, and the signal's reason. */
export async function until(
  what: string,
  signal: AbortSignal,
  holds: () => Promise<boolean>,
  pollMs = 50,
): Promise<void> {
  const limit = performance.now() + waitLimitMs
  for (; performance.now() < limit; await sleep(pollMs, undefined, { signal })) {
    if (await holds()) return
  }
  throw new Error(`waited in vain for ${what}`)
}
