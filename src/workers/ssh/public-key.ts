/** SSH public key blobs: RFC 4253 section 6.6 (RSA), RFC 5656 (ECDSA), RFC 8709 (Ed25519), OpenSSH's PROTOCOL.u2f (sk-*). */
import { hash, type JsonWebKey, type KeyObject } from 'node:crypto'
import { BlobReader, base64url, MalformedBlob, sshMpint, sshString } from './blob.ts'
import { importPublicKey } from './import-key.ts'

/** `bytes`: length of a coordinate. `jwk`: the curve's name in RFC 7518. */
interface Curve {
  readonly name: string
  readonly jwk: string
  readonly bytes: number
  readonly hash: 'sha256' | 'sha384' | 'sha512'
}
export const curves: Readonly<Record<string, Curve>> = {
  'ecdsa-sha2-nistp256': { name: 'nistp256', jwk: 'P-256', bytes: 32, hash: 'sha256' },
  'ecdsa-sha2-nistp384': { name: 'nistp384', jwk: 'P-384', bytes: 48, hash: 'sha384' },
  'ecdsa-sha2-nistp521': { name: 'nistp521', jwk: 'P-521', bytes: 66, hash: 'sha512' },
}
const nistp256 = { name: 'nistp256', jwk: 'P-256', bytes: 32, hash: 'sha256' } as const

export interface PublicKey {
  /** As named at the start of the blob: `ssh-rsa` for every RSA key. */
  readonly type: string
  /** The signature algorithms that this key may be used with, best first. */
  readonly algorithms: readonly string[]
  /** A copy of the parsed blob. */
  readonly blob: Buffer
  readonly key: KeyObject
  /** Of an Ed25519 key: its 32 bytes. */
  readonly point?: Uint8Array
  /** Of a FIDO key, usually `ssh:`. */
  readonly application?: Uint8Array
}

/** RSA moduli outside of these are refused: below is weak, above costs too much to verify. */
const rsaMinBits = 2048
const rsaMaxBits = 16384

/** Parses a public key blob. Throws `MalformedBlob` or an Error that says what is not supported. */
export const parsePublicKeyBlob = (bytes: Uint8Array): PublicKey => {
  // A copy, because the caller's bytes may be a lent view of the receive buffer.
  const blob = Buffer.from(bytes)
  const reader = new BlobReader(blob)
  const type = reader.text('key type')
  const parts = parseKeyParts(reader, type)
  reader.end('public key')
  return { type, blob, ...parts }
}

/** What follows the type; throws as `parsePublicKeyBlob`. */
export const parseKeyParts = (reader: BlobReader, type: string): Parts => {
  const parse = Object.hasOwn(parsers, type) ? parsers[type] : undefined
  if (parse === undefined) throw new Error(`unsupported key type ${JSON.stringify(type)}, expected one of ${keyTypes}`)
  return parse(reader, type)
}

type Parts = Omit<PublicKey, 'type' | 'blob'>
const parsers: Readonly<Record<string, (reader: BlobReader, type: string) => Parts>> = {
  'ssh-ed25519': (reader, type) => ({ algorithms: [type], ...ed25519(reader) }),
  'ecdsa-sha2-nistp256': ecdsa,
  'ecdsa-sha2-nistp384': ecdsa,
  'ecdsa-sha2-nistp521': ecdsa,
  'ssh-rsa': (reader) => ({ algorithms: ['rsa-sha2-512', 'rsa-sha2-256'], key: rsa(reader) }),
  'sk-ssh-ed25519@openssh.com': (reader, type) => ({
    algorithms: [type],
    ...ed25519(reader),
    application: reader.string('application'),
  }),
  'sk-ecdsa-sha2-nistp256@openssh.com': (reader, type) => ({
    algorithms: [type],
    key: point(reader, nistp256),
    application: reader.string('application'),
  }),
}
const keyTypes = Object.keys(parsers).join(', ')

/** Every signature algorithm that `verifySignature` verifies, best first: the value of server-sig-algs (RFC 8308). */
export const signatureAlgorithms: readonly string[] = [
  'ssh-ed25519',
  'sk-ssh-ed25519@openssh.com',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ecdsa-sha2-nistp256@openssh.com',
  'rsa-sha2-512',
  'rsa-sha2-256',
]

function ed25519(reader: BlobReader): Pick<PublicKey, 'key' | 'point'> {
  const point = reader.string('Ed25519 key')
  if (point.length !== 32) throw new MalformedBlob(`Ed25519 key has ${point.length} bytes, expected 32`)
  return { key: fromJwk({ kty: 'OKP', crv: 'Ed25519', x: base64url(point) }), point }
}

function ecdsa(reader: BlobReader, type: string): Parts {
  const curve = curves[type]
  if (curve === undefined) throw new Error(`unknown curve of ${type}`)
  return { algorithms: [type], key: point(reader, curve) }
}

/** RFC 5656 section 3.1; only uncompressed points, as all implementations send them. */
function point(reader: BlobReader, curve: Curve): KeyObject {
  const name = reader.text('curve name')
  if (name !== curve.name) throw new MalformedBlob(`curve is ${JSON.stringify(name)}, expected ${curve.name}`)
  const q = reader.string('ECDSA point')
  if (q.length !== 1 + 2 * curve.bytes || q[0] !== 4) {
    throw new MalformedBlob(`ECDSA point is not an uncompressed point of ${curve.name}`)
  }
  const x = base64url(q.subarray(1, 1 + curve.bytes))
  const y = base64url(q.subarray(1 + curve.bytes))
  return fromJwk({ kty: 'EC', crv: curve.jwk, x, y })
}

function rsa(reader: BlobReader): KeyObject {
  const e = reader.positive('RSA exponent')
  const n = reader.positive('RSA modulus')
  const bits = n.length * 8 - Math.clz32((n[0] ?? 0) << 24)
  if (bits < rsaMinBits || bits > rsaMaxBits) {
    throw new Error(`RSA key has ${bits} bits, expected ${rsaMinBits} to ${rsaMaxBits}`)
  }
  const last = e[e.length - 1] ?? 0
  // FIPS 186-5 allows up to 256 bits, but a long exponent only serves to make verification slow.
  if (e.length > 8 || last % 2 === 0 || (e.length === 1 && last < 3))
    throw new MalformedBlob('RSA exponent is not usable')
  return fromJwk({ kty: 'RSA', n: base64url(n), e: base64url(e) })
}

/** OpenSSL refuses points that are not on their curve here. */
function fromJwk(key: JsonWebKey): KeyObject {
  try {
    return importPublicKey(key)
  } catch (cause) {
    throw new MalformedBlob('the numbers of the public key make no key', { cause })
  }
}

/** The blob of a key that node:crypto holds. Throws for key types that are not in the table above. */
export const publicKeyBlob = (key: KeyObject): { type: string; blob: Buffer } => {
  const jwk = key.export({ format: 'jwk' })
  const bytes = (part: string | undefined): Buffer => Buffer.from(part ?? '', 'base64url')
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') {
    return { type: 'ssh-ed25519', blob: Buffer.concat([sshString('ssh-ed25519'), sshString(bytes(jwk.x))]) }
  }
  if (jwk.kty === 'RSA') {
    return {
      type: 'ssh-rsa',
      blob: Buffer.concat([sshString('ssh-rsa'), sshMpint(bytes(jwk.e)), sshMpint(bytes(jwk.n))]),
    }
  }
  const found = Object.entries(curves).find(([, curve]) => jwk.kty === 'EC' && curve.jwk === jwk.crv)
  if (found === undefined) throw new Error(`unsupported key type ${jwk.kty} ${jwk.crv ?? ''}`)
  const [type, curve] = found
  const q = Buffer.concat([Buffer.of(4), bytes(jwk.x), bytes(jwk.y)])
  return { type, blob: Buffer.concat([sshString(type), sshString(curve.name), sshString(q)]) }
}

/** As `ssh-keygen -l` prints it: `SHA256:` and unpadded base64. */
export const fingerprint = (blob: Uint8Array): string => `SHA256:${hash('sha256', blob, 'base64').slice(0, -1)}`
