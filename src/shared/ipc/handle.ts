import { Socket } from 'node:net'
import { canonicalAddress } from '../address.ts'

/**
 * Node's raw TCP handle (`net.Socket._handle`): what the primary accepts and a worker serves.
 *
 * A handle costs about 10 % less to pass than a `net.Socket`, and the receiver can build the socket it wants:
 * `new net.Socket({ handle, onread: { buffer, callback } })`. Nothing is read from the connection before that, so bytes
 * the client sent early stay in the kernel. Node does not document the type; this is all we rely on, and
 * `test/shared/ipc/handle.test.ts` holds Node to it.
 */
export interface TcpHandle {
  readonly fd: number
  /** Fills `peer` and returns 0, or a negative errno when the client has already gone. */
  getpeername(peer: Partial<PeerName>): number
  close(done?: () => void): void
}

export interface PeerName {
  address: string
  family: string
  port: number
}

/** Where the client is, as the kernel says; the address is canonical (see address.ts). */
export interface Remote {
  readonly address: string
  readonly port: number
}

/** A connection as the primary accepted it. */
export interface Arrival extends Remote {
  /** ISO 3166-1 alpha-2, `XX` for unknown, as behind a proxy until that has said who is. */
  readonly country: string
  /** Of `monotonicMs`. */
  readonly acceptedMs: number
}

/** A clock that all processes of the machine share and that never goes back (CLOCK_MONOTONIC). */
export const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6

export function isTcpHandle(value: unknown): value is TcpHandle {
  return (
    typeof value === 'object' &&
    value !== null &&
    'getpeername' in value &&
    typeof value.getpeername === 'function' &&
    'close' in value &&
    typeof value.close === 'function'
  )
}

/** Undefined when the client has already gone. */
export function remoteOf(handle: TcpHandle): Remote | undefined {
  const peer: Partial<PeerName> = {}
  if (handle.getpeername(peer) !== 0 || peer.address === undefined || peer.port === undefined) return undefined
  const address = canonicalAddress(peer.address)
  return address === undefined ? undefined : { address, port: peer.port }
}

/** Tells the client that it is over, which `close` does not while the handle is on its way to another process. Takes ownership. */
export function hangUp(handle: TcpHandle): void {
  const options: object = { handle, pauseOnCreate: true }
  const socket = new Socket(options)
  socket.on('error', () => undefined) // it has gone, and 'close' follows
  socket.destroySoon()
}
