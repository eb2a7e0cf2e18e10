/**
 * Whose leases are over, in one namespace. Whoever looks from time to time and sees the same, or nothing, for as long as a
 * lease lasts knows that nobody renews it: no clock is compared with another.
 */

/** Of somebody else, as it is seen at a look. */
export interface Seen {
  /** Another one after each renewal. */
  readonly version: string
  /** Undefined: he does not say. */
  readonly durationMs: number | undefined
}

export interface LeaseWatch {
  /** By owner: all there are. True: somebody is found to be gone who was not before. */
  look(leases: ReadonlyMap<string, Seen>): boolean
  /** Begins to watch an owner if that is wanted, of whom nothing has been seen. */
  isOver(owner: string, isExpected: boolean): boolean
}

interface Watched {
  version: string
  durationMs: number
  /** Looks in a row that saw the same, or nothing. */
  misses: number
}

const mostWatched = 1000
/** After so many looks whoever has no lease is forgotten: whoever left something is asked about again. */
const mostMisses = 100

/** `roundMs`: between looks. `durationMs`: of a lease that nobody has seen. */
export function createLeaseWatch(roundMs: number, durationMs: number): LeaseWatch {
  const watched = new Map<string, Watched>()
  // One look may come right before a renewal, and one renewal may fail.
  const isOver = ({ misses, durationMs }: Watched): boolean => misses > 2 && (misses - 1) * roundMs >= durationMs
  const watch = (owner: string): Watched => {
    const one = { version: '', durationMs, misses: 0 }
    if (watched.size < mostWatched) watched.set(owner, one)
    return one
  }
  return {
    look(leases) {
      for (const owner of leases.keys()) if (!watched.has(owner)) watch(owner)
      let isNews = false
      for (const [owner, one] of watched) {
        const seen = leases.get(owner)
        const wasOver = isOver(one)
        one.misses = seen === undefined || seen.version === one.version ? one.misses + 1 : 0
        one.version = seen?.version ?? one.version
        one.durationMs = seen?.durationMs ?? one.durationMs
        isNews ||= isOver(one) && !wasOver
        if (seen === undefined && one.misses > mostMisses) watched.delete(owner)
      }
      return isNews
    },
    isOver(owner, isExpected) {
      const one = watched.get(owner) ?? (isExpected ? watch(owner) : undefined)
      return one !== undefined && isOver(one)
    },
  }
}
