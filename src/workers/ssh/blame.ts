/** What the primary is told about the end of a connection whose user had not logged in. */
import type { Outcome } from '../../shared/ipc/outcome.ts'
import { disconnectReason, InternalError, ProtocolError } from './protocol-error.ts'

/** `error`: what the transport ended with. Undefined if that says nothing about the client. */
export function blameFor(error: Error | undefined): Outcome | undefined {
  if (error instanceof InternalError) return 'server'
  // Two sides that have no algorithm in common are no offence.
  if (error instanceof ProtocolError && error.reason !== disconnectReason.keyExchangeFailed) return 'protocol-error'
  return undefined
}
