/** Public keys into node:crypto. */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'

/**
 * Throws what createPublicKey() throws. Node 24 finds out what it was given by four exceptions, thrown and caught inside:
 * without their stack traces an import takes 6 us instead of 22, and a login three of them.
 */
export const importPublicKey = (key: JsonWebKey): KeyObject => {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return createPublicKey({ key, format: 'jwk' })
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}
