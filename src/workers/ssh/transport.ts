/**
 * The SSH transport layer of the server (RFC 4253) on ssh2's packet ciphers: what all connections of a process share,
 * and the sockets under them. `server-wire.ts` is one connection; `ssh2.ts` is the one file that loads the library.
 */
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Config } from '../../shared/config/index.ts'
import { isTcpHandle, type TcpHandle } from '../../shared/ipc/handle.ts'
import { type AlgorithmConfig, createOffer, type Offer } from './algorithms.ts'
import type { HostKey } from './host-key.ts'
import { Incoming } from './incoming.ts'
import { ServerWire } from './server-wire.ts'
import { extInfoMessage } from './transport-messages.ts'
import type { Wire } from './wire.ts'

export { addonAvailable } from './ssh2.ts'

/** The part of the configuration that matters here. */
export interface TransportConfig {
  readonly ssh: AlgorithmConfig & {
    /** Our identification line without CR LF. */
    readonly serverVersion: string
  }
}

export interface WireLimits {
  /** `congested` above the high mark, `drain` below the low one; bytes. */
  readonly highBytes: number
  readonly lowBytes: number
  /** Re-key after so many bytes, packets or milliseconds in one direction (RFC 4253 section 9, RFC 4344 section 3.1). */
  readonly rekeyBytes: number
  readonly rekeyPackets: number
  readonly rekeyMs: number
  /** Time for the client to complete a re-keying. */
  readonly rekeyDeadlineMs: number
  /** Time for the last bytes to be written after a disconnect. */
  readonly disconnectMs: number
}

/** What the configuration says about them. */
export const wireLimitsOf = ({ ssh, limits }: Config): Partial<WireLimits> => ({
  highBytes: limits.connectionOutputBytes,
  lowBytes: limits.connectionOutputBytes / 4,
  rekeyBytes: ssh.rekeyBytes,
  rekeyPackets: ssh.rekeyPackets,
  rekeyMs: ssh.rekeyInterval,
})

export const defaultLimits: WireLimits = {
  highBytes: 256 * 1024,
  lowBytes: 64 * 1024,
  rekeyBytes: 2 ** 30,
  rekeyPackets: 2 ** 31,
  rekeyMs: 3_600_000,
  rekeyDeadlineMs: 60_000,
  disconnectMs: 2000,
}

/** What all connections of a process share. */
export interface WireOptions {
  readonly offer: Offer
  readonly serverVersion: string
  /** Our identification line, with CR LF. */
  readonly identification: Buffer
  /** SSH_MSG_EXT_INFO (RFC 8308). */
  readonly extInfo: Uint8Array
  readonly limits: WireLimits
}

export interface Transport {
  /**
   * Takes ownership of a raw TCP handle from which nothing has been read, of one that has been, or of a socket or other
   * stream (tests).
   */
  accept(connection: TcpHandle | Incoming | Duplex): Wire
  /** Configured algorithm names that are left out; one sentence each. */
  readonly warnings: readonly string[]
}

/** Throws an Error when no key exchange method, cipher, MAC or host key is usable. */
export const createTransport = (
  config: TransportConfig,
  hostKeys: readonly HostKey[],
  limits: Partial<WireLimits> = {},
): Transport => {
  const { offer, warnings } = createOffer(config.ssh, hostKeys)
  const options = {
    offer,
    serverVersion: config.ssh.serverVersion,
    identification: Buffer.from(`${config.ssh.serverVersion}\r\n`),
    extInfo: extInfoMessage,
    limits: { ...defaultLimits, ...limits },
  }
  return { accept: (connection) => createWire(connection, options), warnings }
}

export const createWire = (connection: TcpHandle | Incoming | Duplex, options: WireOptions): Wire => {
  if (connection instanceof Incoming) return createIncomingWire(connection, options)
  if (isTcpHandle(connection)) return createIncomingWire(new Incoming(connection), options)
  if (connection instanceof Socket) connection.setNoDelay(true)
  const wire = new ServerWire(connection, options)
  connection.on('data', (chunk) => wire.receive(chunk)).pause()
  return wire
}

function createIncomingWire(incoming: Incoming, options: WireOptions): Wire {
  const wire = new ServerWire(incoming.socket, options, incoming.early)
  incoming.reader = wire
  incoming.early = undefined
  return wire
}
