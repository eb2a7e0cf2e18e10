/** Follows the chain through the messages of a log, as they are stored, and tells what was done to them. */
import { isSigned } from './chain-closing.ts'
import type { Find, Mark } from './chain-findings.ts'
import { type ChainKeys, readChainKeys } from './chain-keys.ts'
import { createChainLinks } from './chain-links.ts'
import { createChainOrder } from './chain-order.ts'
import type { AuditRecord } from './record.ts'
import type { MessagePlace } from './record-reader.ts'

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

/** `find` is called for each thing that is wrong; for missing messages when all have come. */
export function createChainVerifier(find: Find): ChainVerifier {
  const order = createChainOrder(find)
  const links = createChainLinks(find)
  let messages = 0
  let connectionId = ''
  let isChained = false
  let isClosed = false
  let signer: Buffer | undefined
  let last: Mark | undefined
  /** A message without a number came before any that has one. */
  let unnumbered: Mark | undefined

  const numbered = (message: Buffer, at: Mark, seq: number, prev: Buffer | undefined): void => {
    if (!isChained && unnumbered !== undefined) find({ kind: 'inserted', at: unnumbered })
    isChained = true
    links.take(message, at, prev, order.take(at, seq))
  }
  const withoutNumber = (at: Mark): void => {
    if (isChained) find({ kind: 'inserted', at })
    else unnumbered ??= at
    links.spoil()
  }
  const close = (message: Buffer, at: Mark, { seq, prev, signer: blob, hasSignature }: ChainKeys): void => {
    isClosed = true
    if (seq === undefined) return
    if (prev === undefined && seq > 0) find({ kind: 'unlinked', at })
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
      last = at
      if (keys.seq === undefined) withoutNumber(at)
      else numbered(message, at, keys.seq, keys.prev)
      if (record.type === 'disconnect' && !isClosed) close(message, at, keys)
    },
    end() {
      order.end()
      return { messages, connectionId, isChained, isClosed, signer, last, lastBound: links.lastBound }
    },
  }
}
