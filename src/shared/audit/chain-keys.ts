/** The keys of the chain in one message, as they are stored. */
import * as cbor from './cbor-cursor.ts'
import { hashBytes } from './chain.ts'

export interface ChainKeys {
  readonly seq: number | undefined
  readonly prev: Buffer | undefined
  /** Public key blob. */
  readonly signer: Buffer | undefined
  readonly hasSignature: boolean
}

/** `message`: one whole, well-formed map. What is of another type or size than ours is taken for absent. */
export function readChainKeys(message: Buffer): ChainKeys {
  const cursor = { bytes: message, at: 0 }
  let seq: number | undefined
  let prev: Buffer | undefined
  let signer: Buffer | undefined
  let hasSignature = false
  if (cbor.kindAt(cursor) !== 'map') return { seq, prev, signer, hasSignature }
  const bytes = (): Buffer | undefined => {
    if (cbor.kindAt(cursor) === 'bytes') return cbor.string(cursor)
    cbor.skip(cursor)
    return undefined
  }
  cbor.eachOf(cursor, () => {
    if (cbor.kindAt(cursor) !== 'text') {
      cbor.skip(cursor)
      cbor.skip(cursor)
      return
    }
    const key = cbor.string(cursor).toString('latin1')
    if (key === 'seq' && cbor.kindAt(cursor) === 'unsigned') {
      const value = cbor.integer(cursor)
      if (typeof value === 'number') seq = value
    } else if (key === 'prev') prev = bytes()
    else if (key === 'signer') signer = bytes()
    else {
      hasSignature ||= key === 'signature'
      cbor.skip(cursor)
    }
  })
  return { seq, prev: prev?.length === hashBytes ? prev : undefined, signer, hasSignature }
}
