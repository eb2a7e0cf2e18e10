/**
 * X25519 (RFC 7748) and Ed25519 (RFC 8032), which are a third of what a login costs: by libsodium, which takes half of
 * OpenSSL's time, where it has a build for this machine; else by OpenSSL.
 */
import type { KeyObject } from 'node:crypto'
import { createRequire } from 'node:module'
import { openssl } from './openssl.ts'
import { openLibsodium } from './sodium.ts'

export interface AgreedSecret {
  /** Our public value, 32 bytes. */
  readonly answer: Buffer
  /** 32 bytes, not all zero. */
  readonly secret: Buffer
}
export interface Ed25519Key {
  /** RFC 8032 section 5.1.5: 32 bytes. */
  readonly point: Uint8Array
  readonly key: KeyObject
}
export interface Curve25519 {
  /** Against a value of the client's of 32 bytes, with a key of our own that is used once. Throws for one of small order. */
  agree(clientValue: Uint8Array): AgreedSecret
  /** Makes signatures of 64 bytes with a private Ed25519 key. */
  signer(key: KeyObject): (data: Uint8Array) => Buffer
  /** Is this a signature of 64 bytes by the key? Whatever the client sends, this does not throw; a point of another length does. */
  verify(key: Ed25519Key, data: Uint8Array, signature: Uint8Array): boolean
}

let chosen: Curve25519 | undefined
let reason: unknown

/** The faster one that works here, found out by the first call: it takes a worker 3 ms to load. */
export function curve25519(): Curve25519 {
  if (chosen === undefined) {
    try {
      chosen = openLibsodium(createRequire(import.meta.url))
    } catch (cause) {
      reason = cause
      chosen = openssl
    }
  }
  return chosen
}

/** Why it is OpenSSL; undefined: it is libsodium. */
export function whyNotLibsodium(): unknown {
  curve25519()
  return reason
}
