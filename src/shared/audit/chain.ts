/**
 * The chain through the messages of a log. Each has a number, and the first of each batch the hash of the whole batch
 * before it, so that nothing can be changed, removed or moved without all that follows being written anew; the signature
 * of the last message (`chain-closing.ts`) prevents that. Older readers ignore the keys.
 */
import { hash } from 'node:crypto'
import { createOutput, heads, type Output } from './cbor-output.ts'

/** What the next batch continues; plain data, so that it can go from thread to thread. */
export interface ChainState {
  /** Number of the next message. */
  readonly seq: number
  /** SHA-256 of the batch before, as it was packed; null: there is none. */
  readonly prev: Uint8Array | null
}
/** Of the first batch of a log. */
export const chainStart: ChainState = { seq: 0, prev: null }

export const hashBytes = 32
export const chainHash = (batch: Uint8Array): Buffer => hash('sha256', batch, 'buffer')

export const packedText = (text: string): Uint8Array => {
  const out = createOutput()
  out.text(text)
  return out.take()
}
const seqKey = packedText('seq')
const prevKey = packedText('prev')

export const packSeq = (out: Output, seq: number): void => {
  out.copy(seqKey)
  out.head(heads.unsigned, seq)
}
export const packPrev = (out: Output, prev: Uint8Array): void => {
  out.copy(prevKey)
  out.head(heads.bytes, hashBytes)
  out.copy(prev)
}
