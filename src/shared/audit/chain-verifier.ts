/** Follows the chain through the messages of a log, as they are stored, and tells what was done to them. */
import { createHash, type Hash } from 'node:crypto'
import { isSigned } from './chain-closing.ts'
import { type ChainKeys, readChainKeys } from './chain-keys.ts'
import type { AuditRecord } from './record.ts'
import type { MessagePlace } from './record-reader.ts'

/** A message, so that people find it. */
export interface Mark extends MessagePlace {
  readonly seq: number | undefined
  /** Nanoseconds since 1970. */
  readonly timestamp: bigint
}
export type Finding =
  /** One of these, or more, are not as they were written. */
  | { readonly kind: 'changed'; readonly first: Mark; readonly last: Mark }
  /** `before` stands in their place. */
  | { readonly kind: 'removed'; readonly first: number; readonly last: number; readonly before: Mark }
  | { readonly kind: 'moved' | 'repeated' | 'inserted' | 'after-end' | 'unlinked' | 'bad-signature'; readonly at: Mark }
  | { readonly kind: 'foreign'; readonly at: Mark; readonly connectionId: string }

export interface ChainReport {
  readonly messages: number
  /** Of the first message; empty: there is none. */
  readonly connectionId: string
  readonly isChained: boolean
  /** The last message of a log was there. */
  readonly isClosed: boolean
  /** Public key blob of a signature that fits. */
  readonly signer: Buffer | undefined
  readonly last: Mark | undefined
  /** The last message whose hash stands in a later one. */
  readonly lastBound: Mark | undefined
}

export interface ChainVerifier {
  /** In their order. `message`: its bytes as stored; `record`: what they mean. */
  add(message: Buffer, place: MessagePlace, record: AuditRecord): void
  /** Nothing more comes. */
  end(): ChainReport
}

/** Places with missing messages of which each is remembered; more of them are not told from each other. */
const mostGaps = 1000

interface Gap {
  first: number
  readonly last: number
  readonly before: Mark
}
interface Link {
  readonly hash: Hash
  readonly first: Mark
  last: Mark
  /** Something else was found in it: that its hash differs is no news. */
  isKnownBad: boolean
}

/** `find` is called for each thing that is wrong; for missing messages when all have come. */
export function createChainVerifier(find: (finding: Finding) => void): ChainVerifier {
  let messages = 0
  let connectionId = ''
  let isChained = false
  let isClosed = false
  let signer: Buffer | undefined
  let last: Mark | undefined
  let lastBound: Mark | undefined
  let link: Link | undefined
  let expected = 0
  /** A message without a number came before any that has one. */
  let unnumbered: Mark | undefined
  const gaps: Gap[] = []

  /** Whether it stands where its number belongs. */
  const isInOrder = (at: Mark): boolean => {
    const seq = at.seq ?? 0
    if (seq === expected) {
      expected++
      return true
    }
    if (seq > expected) {
      if (gaps.length < mostGaps) gaps.push({ first: expected, last: seq - 1, before: at })
      expected = seq + 1
      return false
    }
    find({ kind: fill(gaps, seq) ? 'moved' : 'repeated', at })
    return false
  }
  const compare = (prev: Buffer | undefined, at: Mark): void => {
    if (link === undefined) {
      // What the hash is of was removed from the beginning, or it is of nothing.
      if (prev !== undefined && at.seq === 0) find({ kind: 'changed', first: at, last: at })
    } else if (prev !== undefined) {
      const isSame = link.hash.digest().equals(prev)
      if (!isSame && !link.isKnownBad) find({ kind: 'changed', first: link.first, last: link.last })
      if (isSame) lastBound = link.last
    }
  }
  const take = (message: Buffer, at: Mark, prev: Buffer | undefined): void => {
    const inOrder = isInOrder(at)
    if (!inOrder && link !== undefined) link.isKnownBad = true
    compare(prev, at)
    if (link === undefined || prev !== undefined) {
      link = { hash: createHash('sha256'), first: at, last: at, isKnownBad: !inOrder && prev === undefined }
    }
    link.hash.update(message)
    link.last = at
  }
  const number = (message: Buffer, at: Mark, prev: Buffer | undefined): void => {
    if (at.seq === undefined) {
      if (isChained) find({ kind: 'inserted', at })
      else unnumbered ??= at
      if (link !== undefined) link.isKnownBad = true
      return
    }
    if (!isChained && unnumbered !== undefined) find({ kind: 'inserted', at: unnumbered })
    isChained = true
    take(message, at, prev)
  }
  const close = (message: Buffer, at: Mark, { prev, signer: blob, hasSignature }: ChainKeys): void => {
    isClosed = true
    if (at.seq === undefined) return
    if (prev === undefined && at.seq > 0) find({ kind: 'unlinked', at })
    if (blob !== undefined && isSigned(message, blob)) signer = Buffer.from(blob)
    else if (blob !== undefined || hasSignature) find({ kind: 'bad-signature', at })
  }
  return {
    add(message, place, record) {
      const keys = readChainKeys(message)
      const at = { ...place, seq: keys.seq, timestamp: record.timestamp }
      if (messages === 0) connectionId = record.connectionId
      if (record.connectionId !== connectionId) find({ kind: 'foreign', at, connectionId: record.connectionId })
      if (isClosed) find({ kind: 'after-end', at })
      messages++
      number(message, at, keys.prev)
      last = at
      if (record.type === 'disconnect' && !isClosed) close(message, at, keys)
    },
    end() {
      for (const { first, last: end, before } of gaps) find({ kind: 'removed', first, last: end, before })
      return { messages, connectionId, isChained, isClosed, signer, last, lastBound }
    },
  }
}

/** Whether one of the missing ones has come, after others. */
function fill(gaps: Gap[], seq: number): boolean {
  const index = gaps.findIndex(({ first, last }) => first <= seq && seq <= last)
  const gap = gaps[index]
  if (gap === undefined) return false
  const rest = { first: seq + 1, last: gap.last, before: gap.before }
  const parts = [{ ...gap, last: seq - 1 }, rest].filter(({ first, last }) => first <= last)
  gaps.splice(index, 1, ...parts)
  return true
}
