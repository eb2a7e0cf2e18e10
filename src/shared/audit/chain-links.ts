/** Whether each batch of messages has the hash that the next one has of it. */
import { createHash, type Hash } from 'node:crypto'
import type { Find, Mark } from './chain-findings.ts'

export interface ChainLinks {
  /** The next message that has a number. `prev`: it begins a batch. `isNext`: it belongs here. */
  take(message: Uint8Array, at: Mark, prev: Buffer | undefined, isNext: boolean): void
  /** Something else was found in this batch: that its hash differs is no news. */
  spoil(): void
  /** The last message whose hash stands in a later one. */
  readonly lastBound: Mark | undefined
}

interface Batch {
  readonly hash: Hash
  readonly first: Mark
  last: Mark
  isKnownBad: boolean
}

export function createChainLinks(find: Find): ChainLinks {
  let batch: Batch | undefined
  let lastBound: Mark | undefined
  const compare = ({ hash, first, last, isKnownBad }: Batch, prev: Buffer): void => {
    if (hash.digest().equals(prev)) lastBound = last
    else if (!isKnownBad) find({ kind: 'changed', first, last })
  }
  return {
    take(message, at, prev, isNext) {
      if (!isNext && batch !== undefined) batch.isKnownBad = true
      if (batch !== undefined && prev !== undefined) compare(batch, prev)
      // Before the first message there is nothing that the hash could be of.
      if (batch === undefined && prev !== undefined && at.seq === 0) find({ kind: 'changed', first: at, last: at })
      if (batch === undefined || prev !== undefined) {
        batch = { hash: createHash('sha256'), first: at, last: at, isKnownBad: !isNext && prev === undefined }
      }
      batch.hash.update(message)
      batch.last = at
    },
    spoil() {
      if (batch !== undefined) batch.isKnownBad = true
    },
    get lastBound() {
      return lastBound
    },
  }
}
