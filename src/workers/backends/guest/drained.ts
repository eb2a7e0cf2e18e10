import { sleep } from '../../../shared/deadline.ts'
import type { Conduit } from './conduit.ts'

/** After the end of a program its output is on its way for a moment; a process left in the background may hold it open. */
const QUIET_MS = 2000

/** Waits for the rest of the output of a program that has ended. */
export async function drained(
  pump: Pick<Conduit, 'quietMs'> & { readonly ended: Promise<unknown> },
  signal: AbortSignal,
): Promise<void> {
  const done = new AbortController()
  const either = AbortSignal.any([signal, done.signal])
  pump.ended.then(() => done.abort()).catch(() => done.abort())
  const since = performance.now()
  while (!either.aborted) {
    // The silence before the end does not count: the last words may be on their way.
    const leftMs = QUIET_MS - Math.min(pump.quietMs(), performance.now() - since)
    if (leftMs <= 0) return
    await sleep(leftMs, either)
  }
}
