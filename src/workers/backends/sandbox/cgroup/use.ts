/** What a sandbox has used: memory beyond its limit, and processor time, for which there is no limit in the kernel. */
import { availableParallelism } from 'node:os'
import { sleep } from '../../../../shared/deadline.ts'
import type { Group } from './group.ts'

export interface Use {
  /** Since this was last asked. Never rejects. */
  outOfMemory(): Promise<boolean>
  isSpent(): boolean
}

/** So late at most is it seen that time is used up, on all processors together. */
const leastPauseMs = 100

/** `limitMs`: of processor time; 0: no limit. `spent` is called once; the group is watched until the signal. */
export function watchUse(
  group: Group | undefined,
  limitMs: number,
  closing: AbortSignal,
  spent: () => Promise<void>,
): Use {
  let known = 0
  let isSpent = false
  const watch = async (group: Group): Promise<void> => {
    while (!closing.aborted) {
      const left = limitMs - (await group.processorTime())
      if (left <= 0) {
        isSpent = true
        return spent()
      }
      // Sooner it cannot be used up.
      await sleep(Math.max(leastPauseMs, left / availableParallelism()), closing)
    }
  }
  if (group !== undefined && limitMs > 0) watch(group).catch(() => undefined) // the group is gone, and the sandbox with it
  return {
    async outOfMemory() {
      const now = (await group?.outOfMemoryKills().catch(() => known)) ?? 0 // gone with the sandbox
      const isMore = now > known
      known = Math.max(known, now)
      return isMore
    },
    isSpent: () => isSpent,
  }
}
