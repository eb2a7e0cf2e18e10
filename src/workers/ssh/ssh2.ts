/**
 * The door to ssh2: its packet ciphers (`lib/protocol/crypto.js`, with a native addon where that was built), patched as
 * `patches/README.md` says. They are internals of exactly version 1.17.0; `contract.test.ts` holds them.
 */
import { createRequire } from 'node:module'

export interface CipherInfo {
  readonly sslName: string
  readonly keyLen: number
  readonly ivLen: number
  /** Above 0 the cipher authenticates by itself and no MAC is negotiated. */
  readonly authLen: number
}
export interface MacInfo {
  readonly sslName: string
  /** Bytes of key; `actualLen` bytes of it are sent as MAC. */
  readonly len: number
  readonly actualLen: number
  readonly isETM: boolean
}

/** Where a packet is to be made (patch 002): `take` gives uninitialised memory for one packet. */
export interface PacketTarget {
  take(bytes: number): Buffer
}

/** Frames and encrypts one packet at a time. */
export interface PacketCipher {
  /** Sequence number of the next packet, RFC 4253 section 6.4. */
  outSeqno: number
  /** A whole packet with its padding; the payload belongs at offset 5. */
  allocPacket(payloadBytes: number, target?: PacketTarget): Buffer
  /** Encrypts in place with the addon, and hands the result to `onWrite` in one or more pieces before it returns. */
  encrypt(packet: Buffer): void
  /**
   * Of a cipher that was made with `finishes` (patch 007): until this or `free`, the last large packet that was handed over
   * may lack its MAC, because two take little longer than one.
   */
  finish?(): void
  free(): void
}

/**
 * Takes a payload, which may be a view of the bytes given to `decrypt`. Undefined goes on; false ends `decrypt`, which
 * then returns the offset behind this packet (the rest is for another decipher).
 */
export type OnPayload = (payload: Buffer) => false | undefined
export interface PacketDecipher {
  /** Sequence number of the next packet; already counted up when a payload is handed over. */
  inSeqno: number
  /** What has been received of the current packet; may be a view of the bytes given to `decrypt`. */
  _packet: Uint8Array | null
  /** Throws for a bad length, MAC or padding. Returns undefined when everything was taken. */
  decrypt(data: Buffer, start: number, end: number): number | undefined
  free(): void
}

interface Keys<Direction extends 'cipher' | 'decipher'> {
  readonly seqno: number
  readonly macInfo: MacInfo | undefined
  readonly macKey: Buffer | undefined
  readonly info: CipherInfo
  readonly key: Buffer
  readonly iv: Buffer
  readonly call: Direction extends 'cipher' ? (data: Buffer) => void : OnPayload
}

interface CryptoModule {
  readonly CIPHER_INFO: Readonly<Record<string, CipherInfo>>
  readonly MAC_INFO: Readonly<Record<string, MacInfo>>
  readonly bindingAvailable: boolean
  /** Settles when the WebAssembly that stands in for the addon is loaded. */
  readonly init: Promise<void>
  readonly NullCipher: new (seqno: number, onWrite: (data: Buffer) => void) => PacketCipher
  readonly NullDecipher: new (seqno: number, onPayload: OnPayload) => PacketDecipher
  createCipher(config: { outbound: object }): PacketCipher
  createDecipher(config: { inbound: object }): PacketDecipher
}

const crypto: CryptoModule = createRequire(import.meta.url)('ssh2/lib/protocol/crypto.js')

export const cipherInfo = crypto.CIPHER_INFO
export const macInfo = crypto.MAC_INFO
/** Whether the native addon was built for this Node; without it bulk transfer costs 2 to 4 times the CPU. */
export const addonAvailable = crypto.bindingAvailable
// The WebAssembly stands in for the addon, and must be there before the first cipher is made.
if (!addonAvailable) await crypto.init

export const plainCipher = (onWrite: (data: Buffer) => void): PacketCipher => new crypto.NullCipher(0, onWrite)
export const plainDecipher = (onPayload: OnPayload): PacketDecipher => new crypto.NullDecipher(0, onPayload)

/**
 * `native: true` uses node:crypto and WebAssembly even where the addon exists. `finishes`: `finish` is called before
 * anything is sent.
 */
export const createCipher = (keys: Keys<'cipher'>, native = false, finishes = false): PacketCipher => {
  const { seqno, macInfo, macKey, info, key, iv, call } = keys
  const outbound = { seqno, macInfo, macKey, cipherInfo: info, cipherKey: key, cipherIV: iv, onWrite: call }
  return crypto.createCipher({ outbound: { ...outbound, forceNative: native, finishes } })
}
export const createDecipher = (keys: Keys<'decipher'>, native = false): PacketDecipher => {
  const { seqno, macInfo, macKey, info, key, iv, call } = keys
  const inbound = { seqno, macInfo, macKey, decipherInfo: info, decipherKey: key, decipherIV: iv, onPayload: call }
  // Whoever takes a payload from us uses it up within the call (patch 006).
  return crypto.createDecipher({ inbound: { ...inbound, forceNative: native, lent: true } })
}
