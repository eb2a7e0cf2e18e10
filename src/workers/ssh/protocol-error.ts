/** Reasons of SSH_MSG_DISCONNECT, RFC 4253 section 11.1. */
export const disconnectReason = {
  hostNotAllowedToConnect: 1,
  protocolError: 2,
  keyExchangeFailed: 3,
  macError: 5,
  serviceNotAvailable: 7,
  protocolVersionNotSupported: 8,
  connectionLost: 10,
  byApplication: 11,
  tooManyConnections: 12,
  noMoreAuthMethodsAvailable: 14,
} as const

/** The peer broke the protocol, or nothing could be agreed upon: the connection ends with this reason and text. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly reason: number

  constructor(message: string, reason: number = disconnectReason.protocolError, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** A layer of ours failed at a message: the connection ends as after a ProtocolError, but the peer is not to blame. */
export class InternalError extends ProtocolError {}

/** A message that `read` cannot decode is a ProtocolError. */
export function parse<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new ProtocolError(`malformed ${what}`, disconnectReason.protocolError, { cause })
  }
}

/** The layer above threw: a bug, which ends this connection only. */
export function internalError(cause: unknown): InternalError {
  const detail = cause instanceof Error ? `: ${cause.message}` : ''
  return new InternalError(`a message could not be handled${detail}`, disconnectReason.protocolError, { cause })
}

/** ssh2 throws plain errors for packets it cannot decrypt. */
export function packetError(cause: unknown): ProtocolError {
  if (cause instanceof ProtocolError) return cause
  if (cause instanceof RangeError) return new ProtocolError('packet with a bad padding length', undefined, { cause })
  if (cause instanceof Error && cause.message.startsWith('Bad packet length')) {
    return new ProtocolError('packet with a bad length', undefined, { cause })
  }
  return new ProtocolError('packet with a bad MAC', disconnectReason.macError, { cause })
}
