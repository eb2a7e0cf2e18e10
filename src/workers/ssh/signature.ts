/** Verifies signatures: RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709, OpenSSH's PROTOCOL.u2f. */
import { createHash, type KeyObject, verify } from 'node:crypto'
import { BlobReader, leftPadded } from './blob.ts'
import { curve25519, type Ed25519Key } from './curve25519/index.ts'
import { curves, type PublicKey } from './public-key.ts'

/** What a security key says about the moment of signing (PROTOCOL.u2f, flags). */
export interface Attestation {
  /** Somebody touched it. */
  readonly touched: boolean
  /** Somebody proved to it who they are, with a PIN or a finger. */
  readonly verified: boolean
}
/** `attested`: always and only of security keys. */
export type SignatureVerdict = { readonly valid: false } | { readonly valid: true; readonly attested?: Attestation }

const invalid = { valid: false } as const
const userPresent = 0x01
const userVerified = 0x04

/**
 * Is `signature` (RFC 4253 section 6.6 signature blob) one by `key` over `data` with exactly `algorithm`? Invalid is
 * everything malformed, an algorithm that does not belong to the key, and SHA-1. Never throws. Whether a security key
 * must have been touched is the caller's question.
 */
export const verifySignature = (
  key: PublicKey,
  algorithm: string,
  data: Uint8Array,
  signature: Uint8Array,
): SignatureVerdict => {
  try {
    if (!key.algorithms.includes(algorithm)) return invalid
    const reader = new BlobReader(signature)
    if (reader.text('signature algorithm') !== algorithm) return invalid
    const proof = reader.string('signature')
    if (key.application !== undefined) return checkSecurityKey(key, key.application, data, proof, reader)
    reader.end('signature')
    return { valid: check(algorithm, key, data, proof) }
  } catch {
    // Whatever a client sends that cannot be parsed is no signature; OpenSSL throws on numbers out of range.
    return invalid
  }
}

function check(algorithm: string, publicKey: PublicKey, data: Uint8Array, proof: Uint8Array): boolean {
  const { key } = publicKey
  switch (algorithm) {
    case 'ssh-ed25519':
      return isEd25519(publicKey) && curve25519().verify(publicKey, data, proof)
    case 'rsa-sha2-512':
      return verify('sha512', data, key, rsaSignature(key, proof))
    case 'rsa-sha2-256':
      return verify('sha256', data, key, rsaSignature(key, proof))
    default: {
      const curve = curves[algorithm]
      if (curve === undefined) return false
      return verify(curve.hash, data, { key, dsaEncoding: 'ieee-p1363' }, ecdsaSignature(proof, curve.bytes))
    }
  }
}

const isEd25519 = (key: PublicKey): key is PublicKey & Ed25519Key => key.point !== undefined

/** Some signers leave out leading zeros; RFC 8332 section 3 asks verifiers to accept that. */
function rsaSignature(key: KeyObject, proof: Uint8Array): Buffer {
  return leftPadded(proof, Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8), 'RSA signature')
}

/** RFC 5656 section 3.1.2: two mpints; node:crypto wants them concatenated at full length. */
function ecdsaSignature(proof: Uint8Array, bytes: number): Buffer {
  const reader = new BlobReader(proof)
  const r = leftPadded(reader.positive('r'), bytes, 'r')
  const s = leftPadded(reader.positive('s'), bytes, 's')
  reader.end('ECDSA signature')
  return Buffer.concat([r, s])
}

/** PROTOCOL.u2f: the token signs hashes of the application and of the data, its flags and its counter. */
function checkSecurityKey(
  publicKey: PublicKey,
  application: Uint8Array,
  data: Uint8Array,
  proof: Uint8Array,
  reader: BlobReader,
): SignatureVerdict {
  const trailer = reader.raw(5, 'flags and counter')
  reader.end('signature')
  const flags = trailer[0] ?? 0
  const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
  const signed = Buffer.concat([sha256(application), trailer, sha256(data)])
  const { key } = publicKey
  const valid = isEd25519(publicKey)
    ? curve25519().verify(publicKey, signed, proof)
    : verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, ecdsaSignature(proof, 32))
  if (!valid) return invalid
  return { valid, attested: { touched: (flags & userPresent) !== 0, verified: (flags & userVerified) !== 0 } }
}
