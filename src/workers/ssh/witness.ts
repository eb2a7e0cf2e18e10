/**
 * What happens on a connection besides the calls of its ports, for whoever writes it down. There is a witness only when
 * audit is on; all else that a log holds is seen by the layer around the ports.
 */
import type { Fault } from '../../shared/codes/fault.ts'
import type { ChannelId, Connection, Door, Exit, Layer, Origin, Peer, Sink } from '../ports.ts'
import type { DirectOpen, ForwardRequest } from './forward-messages.ts'
import type { Reading } from './reading.ts'
import type { Negotiated } from './wire.ts'

/** Of a session channel: what comes from the client, standard output, standard error. */
export type StreamNumber = 0 | 1 | 2
/**
 * Of the two directions of a forwarding channel: to the client, and from the client. Logs have always numbered them as
 * whoever opened the channel sees them, not as the client does.
 */
export type StreamNumbers = readonly [outward: 0 | 1, inward: 0 | 1]
export const openedByClient: StreamNumbers = [0, 1]
export const openedByUs: StreamNumbers = [1, 0]

/** All bytes are lent. */
export interface Witness {
  /** The first key exchange is complete. */
  negotiated(negotiated: Negotiated): void
  handshakeFailed(reason: string): void
  /** A key that no port was asked about, because its signature is wrong or it cannot be used. */
  keyRefused(username: string, algorithm: string, blob: Uint8Array): void
  /** As decoded; `undefined`: malformed. Not the keepalives. */
  globalRequest(type: string, data: Uint8Array, request: ForwardRequest | 'unknown' | undefined): void
  /** The client wants to be connected to a target. */
  direct(id: ChannelId, wish: DirectOpen): void
  /** A connection for the client arrived, and the client is asked whether it wants it. */
  arrived(id: ChannelId, door: Door, origin: Origin): void
  opened(id: ChannelId, type: string): void
  refused(id: ChannelId, type: string, reason: string): void
  /** `payload`: what follows `want reply`. */
  malformedRequest(id: ChannelId, type: string, payload: Uint8Array): void
  /** Words of ours, to a terminal. */
  told(id: ChannelId, bytes: Uint8Array): void
  /** Our EOF. */
  closedForWriting(id: ChannelId): void
  exited(id: ChannelId, exit: Exit): void
  /** Nothing moves on the channel any more. */
  closed(id: ChannelId): void
  /** The sink of one direction of a forwarding channel; itself when its bytes are not recorded. */
  tap(id: ChannelId, stream: 0 | 1, sink: Sink): Sink
  /** Everything that belonged to the connection is gone. */
  end(): void
}

/** The connection, as the witness may act on it. */
export interface Subject {
  readonly reading: Pick<Reading, 'pause' | 'resume'>
  /** It must not go on without a record. */
  endUnrecorded(why: Fault): void
}

/** What writes one connection down. */
export interface Recording {
  readonly witness: Witness
  /** The outermost. */
  readonly layer: Layer<Connection>
}
export type RecordConnection = (ticket: number, peer: Peer, subject: Subject) => Recording
