/** Private host keys: OpenSSH's own format (PROTOCOL.key), PKCS#1, PKCS#8 and SEC1, all unencrypted. */
import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject, sign } from 'node:crypto'
import { BlobReader, base64url, leftPadded, sshMpint } from './blob.ts'
import { curve25519 } from './curve25519/index.ts'
import { curves, fingerprint, publicKeyBlob } from './public-key.ts'

export interface HostKey {
  /** As named at the start of the blob: `ssh-rsa` for every RSA key. */
  readonly type: string
  /** Signature algorithms to offer for this key, best first; never SHA-1. */
  readonly algorithms: readonly string[]
  /** Public key blob, RFC 4253 section 6.6, or a certificate (`host-certificate.ts`). */
  readonly blob: Buffer
  /** `SHA256:…`, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string
  /** The inner part of the signature blob: what follows the algorithm's name, which is never that of a certificate. */
  sign(algorithm: string, data: Uint8Array): Buffer
}

const expected =
  'expected an unencrypted OpenSSH, PKCS#1, PKCS#8 or SEC1 private key of type Ed25519, ECDSA (P-256, P-384, P-521) or RSA (2048 bits or more)'

/** Parses the PEM text of a private key. Throws an Error that names what was expected; no key material is in its text. */
export const parseHostKey = (pem: string): HostKey => {
  const label = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(pem)?.[1]
  if (label === undefined) throw new Error(`no PEM text found; ${expected}`)
  if (label.startsWith('ENCRYPTED') || /^Proc-Type:.*ENCRYPTED/m.test(pem)) throw encrypted()
  if (!label.endsWith('PRIVATE KEY')) throw new Error(`found "${label}"; ${expected}`)
  const key = label === 'OPENSSH PRIVATE KEY' ? parseOpenSsh(pem) : parsePem(pem, label)
  return hostKey(key)
}

function encrypted(): Error {
  return new Error(`the key is protected by a passphrase; ${expected}`)
}

function parsePem(pem: string, label: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw new Error(`the ${label} cannot be read; ${expected}`, { cause })
  }
}

function hostKey(key: KeyObject): HostKey {
  const bits = key.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && key.asymmetricKeyType === 'rsa' && bits < 2048) {
    throw new Error(`the RSA key has ${bits} bits; ${expected}`)
  }
  const { type, blob } = publicPart(key)
  const algorithms = type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type]
  return {
    type,
    algorithms,
    blob,
    fingerprint: fingerprint(blob),
    sign: signerOf(key),
  }
}

function publicPart(key: KeyObject): { type: string; blob: Buffer } {
  try {
    return publicKeyBlob(createPublicKey(key))
  } catch (cause) {
    throw new Error(`the key is of type ${key.asymmetricKeyType ?? 'unknown'}; ${expected}`, { cause })
  }
}

function signerOf(key: KeyObject): HostKey['sign'] {
  if (key.asymmetricKeyType !== 'ed25519') return (algorithm, data) => signWith(key, algorithm, data)
  // Not before the first signature: whoever only reads keys needs no signer.
  let signer: ((data: Uint8Array) => Buffer) | undefined
  return (_, data) => {
    signer ??= curve25519().signer(key)
    return signer(data)
  }
}

function signWith(key: KeyObject, algorithm: string, data: Uint8Array): Buffer {
  const curve = curves[algorithm]
  if (curve !== undefined) {
    const rs = sign(curve.hash, data, { key, dsaEncoding: 'ieee-p1363' })
    return Buffer.concat([sshMpint(rs.subarray(0, curve.bytes)), sshMpint(rs.subarray(curve.bytes))])
  }
  return sign(algorithm === 'rsa-sha2-512' ? 'sha512' : 'sha256', data, key)
}

/** PROTOCOL.key: a public part, then a private part with two equal check numbers and a padding of 1, 2, 3, … */
function parseOpenSsh(pem: string): KeyObject {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END OPENSSH PRIVATE KEY-----/.exec(pem)?.[1]
  if (body === undefined) throw new Error(`the end line is missing; ${expected}`)
  try {
    const outer = new BlobReader(Buffer.from(body, 'base64'))
    if (Buffer.from(outer.raw(15, 'magic')).toString('latin1') !== 'openssh-key-v1\0') throw new Error('wrong magic')
    if (outer.text('cipher') !== 'none') throw encrypted()
    outer.text('kdf')
    outer.string('kdf options')
    if (outer.uint32('number of keys') !== 1) throw new Error('not exactly one key')
    const publicBlob = outer.string('public key')
    const inner = new BlobReader(outer.string('private part'))
    const check = inner.uint32('check')
    if (inner.uint32('check') !== check) throw new Error('check numbers differ')
    const key = privateKey(inner)
    inner.string('comment')
    const padding = inner.raw(inner.remaining, 'padding')
    if (!padding.every((byte, index) => byte === index + 1)) throw new Error('wrong padding')
    if (!publicPart(key).blob.equals(publicBlob))
      throw new Error('the public and the private part do not belong together')
    return key
  } catch (cause) {
    if (cause instanceof Error && cause.message.includes('expected an')) throw cause
    throw new Error(`the OPENSSH PRIVATE KEY cannot be read; ${expected}`, { cause })
  }
}

function privateKey(reader: BlobReader): KeyObject {
  const type = reader.text('key type')
  if (type === 'ssh-ed25519') return ed25519(reader)
  if (type === 'ssh-rsa') return rsa(reader)
  const curve = curves[type]
  if (curve === undefined) throw new Error(`the key is of type ${type}; ${expected}`)
  reader.text('curve')
  const q = reader.string('point')
  const d = leftPadded(reader.positive('private number'), curve.bytes, 'private number')
  const x = base64url(q.subarray(1, 1 + curve.bytes))
  const y = base64url(q.subarray(1 + curve.bytes))
  return fromJwk({ kty: 'EC', crv: curve.jwk, x, y, d: base64url(d) })
}

function ed25519(reader: BlobReader): KeyObject {
  const x = base64url(reader.string('public key'))
  const pair = reader.string('private key')
  if (pair.length !== 64) throw new Error('an Ed25519 key has 64 bytes')
  return fromJwk({ kty: 'OKP', crv: 'Ed25519', x, d: base64url(pair.subarray(0, 32)) })
}

/** The two exponents that PROTOCOL.key leaves out are computed (RFC 8017 section 3.2). */
function rsa(reader: BlobReader): KeyObject {
  const [n, e, d, qi, p, q] = ['n', 'e', 'd', 'iqmp', 'p', 'q'].map((name) => reader.positive(name))
  if (!n || !e || !d || !qi || !p || !q) throw new Error('a number is missing')
  const reduced = (prime: Uint8Array): Uint8Array => unsigned(number(d) % (number(prime) - 1n))
  const parts = { n, e, d, p, q, dp: reduced(p), dq: reduced(q), qi }
  const encoded = Object.fromEntries(Object.entries(parts).map(([name, bytes]) => [name, base64url(bytes)]))
  return fromJwk({ kty: 'RSA', ...encoded })
}

const number = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
const unsigned = (value: bigint): Uint8Array => {
  const hex = value.toString(16)
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
}

const fromJwk = (key: JsonWebKey): KeyObject => createPrivateKey({ key, format: 'jwk' })
