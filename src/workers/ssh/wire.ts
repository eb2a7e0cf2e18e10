/**
 * The seam between the SSH transport layer (RFC 4253) and what stands on it: userauth (RFC 4252) and connection
 * (RFC 4254). Only `transport.ts` knows which library moves the packets.
 */

/** What both sides agreed on in the first key exchange. */
export interface Negotiated {
  /** RFC 4253 section 7.2; constant for the connection. */
  readonly sessionId: Uint8Array
  /** The client's identification string without CR LF. */
  readonly clientVersion: string
  readonly kex: string
  readonly hostKey: string
  /** With which algorithm an RSA host key is to sign for this client, whatever key was used in the exchange. */
  readonly rsaSignature: string
  readonly cipherIn: string
  readonly cipherOut: string
}

/** Who sent the first KEXINIT of a re-keying. */
export type Initiator = 'client' | 'server'

/** Called by the transport; set once, before `start()`. None of them may throw. */
export interface WireEvents {
  /** The first key exchange is complete. */
  ready(negotiated: Negotiated): void
  /**
   * One decrypted message numbered 50 to 127 or 192 (RFC 4250 section 4.1). `payload[0]` is the message number; the
   * bytes are lent for the call.
   */
  message(payload: Buffer): void
  /** A key exchange after the first one is complete (RFC 4253 section 9). */
  rekeyed(initiator: Initiator): void
  /** `queuedBytes` fell below the low mark after it had been above the high mark. */
  drain(): void
  /** The connection is over; called exactly once, whoever ended it. `error` is absent after an orderly end. */
  closed(error?: Error): void
}

export interface Wire {
  /** Sends our identification string and begins. */
  start(events: WireEvents): void
  /**
   * Room for one message of `length` bytes: write it into `outgoing` from the returned offset on, then `commit()`.
   * Nothing else may be sent in between. Two steps, so that channel data is copied once, straight into its packet.
   */
  reserve(length: number): number
  readonly outgoing: Buffer
  commit(): void
  /** Copies and sends a whole message. */
  send(payload: Uint8Array): void
  /** Bytes accepted by `commit`/`send` that the kernel has not taken: gathered, queued by a key exchange, or in the socket. */
  readonly queuedBytes: number
  /** True while `queuedBytes` is above the high mark: stop producing output until `drain`. */
  readonly congested: boolean
  /** Stops and restarts reading from the socket. Nested calls are not counted. Messages already decrypted still arrive. */
  pause(): void
  resume(): void
  /** To be allowed once the user is authenticated: OpenSSH clients hang up when a server begins a re-keying before. */
  readonly rekeying: { allow(): void }
  /** Changes whenever bytes have come from the client, even less than a packet. */
  readonly heard: number
  /** While paused: reads once, and no more than one buffer full. */
  peek(): void
  /** Sends SSH_MSG_DISCONNECT (RFC 4253 section 11.1) and ends the connection once it is written, at latest after 2 s. */
  disconnect(reason: number, description: string): void
  /** Ends at once. Idempotent. */
  destroy(error?: Error): void
  /** False from the moment the connection is over. */
  readonly alive: boolean
}
