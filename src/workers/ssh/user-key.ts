/** What a client proves with a key (RFC 4252 section 7): lines of authorized keys, and signatures. */
import { createHash, type KeyObject, verify } from 'node:crypto'
import { BlobReader, leftPadded, MalformedBlob } from './blob.ts'
import { curves, type PublicKey, parsePublicKeyBlob } from './public-key.ts'

export { fingerprint, type PublicKey, parsePublicKeyBlob, signatureAlgorithms } from './public-key.ts'

export interface AuthorizedKey extends PublicKey {
  readonly comment: string
}

/** Parses `TYPE BASE64 [COMMENT]`. Throws an Error that says what is wrong. Options are refused, because nobody would honour them. */
export const parseAuthorizedKey = (line: string): AuthorizedKey => {
  const match = /^[ \t]*([^\s"=,]+)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t]+(.*?))?\s*$/.exec(line)
  const [, type = '', base64 = '', comment = ''] = match ?? []
  if (match === null)
    throw new Error('expected "TYPE BASE64 [COMMENT]" without options, as in a file that ssh-keygen writes')
  const blob = Buffer.from(base64, 'base64')
  if (blob.toString('base64').replace(/=+$/, '') !== base64.replace(/=+$/, '')) {
    throw new Error('the key is not base64')
  }
  const key = parsePublicKeyBlob(blob)
  if (key.type !== type) throw new Error(`the line says ${type}, but the key is of type ${key.type}`)
  return { ...key, comment }
}

/**
 * Is `signature` (RFC 4253 section 6.6 signature blob) one by `blob` over `data` with exactly `algorithm`? False for
 * everything malformed, for key types and algorithms that do not belong together, and for SHA-1. Never throws.
 */
export const verifyUserSignature = (
  algorithm: string,
  blob: Uint8Array,
  data: Uint8Array,
  signature: Uint8Array,
): boolean => {
  try {
    const key = parsePublicKeyBlob(blob)
    if (!key.algorithms.includes(algorithm)) return false
    const reader = new BlobReader(signature)
    if (reader.text('signature algorithm') !== algorithm) return false
    return check(algorithm, key, data, reader)
  } catch {
    // Whatever a client sends that cannot be parsed is no signature; OpenSSL throws on numbers out of range.
    return false
  }
}

function check(algorithm: string, key: PublicKey, data: Uint8Array, reader: BlobReader): boolean {
  const proof = reader.string('signature')
  if (key.application !== undefined) return checkSecurityKey(key.key, key.application, data, proof, reader)
  reader.end('signature')
  switch (algorithm) {
    case 'ssh-ed25519':
      return proof.length === 64 && verify(null, data, key.key, proof)
    case 'rsa-sha2-512':
      return verify('sha512', data, key.key, rsaSignature(key.key, proof))
    case 'rsa-sha2-256':
      return verify('sha256', data, key.key, rsaSignature(key.key, proof))
    default: {
      const curve = curves[algorithm]
      if (curve === undefined) return false
      return verify(curve.hash, data, { key: key.key, dsaEncoding: 'ieee-p1363' }, ecdsaSignature(proof, curve.bytes))
    }
  }
}

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
  key: KeyObject,
  application: Uint8Array,
  data: Uint8Array,
  proof: Uint8Array,
  reader: BlobReader,
): boolean {
  const trailer = reader.raw(5, 'flags and counter')
  reader.end('signature')
  const userPresent = 0x01
  if (((trailer[0] ?? 0) & userPresent) === 0) throw new MalformedBlob('nobody touched the security key')
  const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
  const signed = Buffer.concat([sha256(application), trailer, sha256(data)])
  if (key.asymmetricKeyType === 'ed25519') return proof.length === 64 && verify(null, signed, key, proof)
  return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, ecdsaSignature(proof, 32))
}
