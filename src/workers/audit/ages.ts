/**
 * When batches are old enough to be sent. Those that began at about the same time go together: a wake-up, a write and a
 * look at the pipe for each of them would cost more than what is in them.
 */

/** Half of what a session may lose with the daemon: the other half is for the way to the disk. */
const oldMs = 50
/** So much earlier goes who begins last in a group. */
const groupMs = 10

interface Flushed {
  flush(): void
}
/** Who is flushed at the same time; whoever leaves it before is not. */
export type Group = Set<Flushed>
export interface Ages {
  /** The batch of `one` begins now: it is flushed within 50 ms with its group. */
  join(one: Flushed): Group
}

export function createAges(): Ages {
  let group: Group = new Set()
  let closesAt = Number.NEGATIVE_INFINITY
  return {
    join(one) {
      const now = performance.now()
      if (now >= closesAt) {
        group = new Set()
        closesAt = now + groupMs
        setTimeout(flushAll, oldMs, group).unref()
      }
      group.add(one)
      return group
    },
  }
}

function flushAll(group: Group): void {
  for (const one of group) one.flush()
}
