/**
 * Private keys for host keys: PKCS#1, PKCS#8 and SEC 1 through node:crypto, OpenSSH's own format
 * (https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key), which node:crypto cannot read or write, here.
 */
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'

const magic = Buffer.from('openssh-key-v1\0', 'latin1')
const armour = /^-----BEGIN OPENSSH PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----\s*$/

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
/** RFC 4251 section 5, string. */
const string = (value: Uint8Array | string): Buffer =>
  Buffer.concat([uint32(Buffer.byteLength(value)), Buffer.from(value)])

/** A new ed25519 key in OpenSSH's format, not encrypted, readable by ssh-keygen. */
export const generateHostKey = async (comment: string): Promise<string> => {
  const { privateKey } = await promisify(generateKeyPair)('ed25519', {})
  const { x = '', d = '' } = privateKey.export({ format: 'jwk' })
  const [publicBytes, seed] = [Buffer.from(x, 'base64url'), Buffer.from(d, 'base64url')]
  const publicBlob = Buffer.concat([string('ssh-ed25519'), string(publicBytes)])
  // The same random number twice: how a reader of encrypted keys sees that its passphrase was right.
  const check = randomBytes(4)
  const secret = Buffer.concat([publicBlob, string(Buffer.concat([seed, publicBytes])), string(comment)])
  const unpadded = Buffer.concat([check, check, secret])
  const padding = Buffer.from(Array.from({ length: (8 - (unpadded.length % 8)) % 8 }, (_, index) => index + 1))
  const head = Buffer.concat([magic, string('none'), string('none'), string(''), uint32(1), string(publicBlob)])
  const whole = Buffer.concat([head, string(Buffer.concat([unpadded, padding]))]).toString('base64')
  const lines = whole.match(/.{1,70}/g) ?? []
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n')
}

class Cursor {
  readonly #bytes: Buffer
  #at = 0
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }
  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new Error('is cut off')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
  uint32(): number {
    return this.take(4).readUInt32BE()
  }
  string(): Buffer {
    return this.take(this.uint32())
  }
  text(): string {
    return this.string().toString('latin1')
  }
}

/** Unsigned big-endian without leading zeros, as JWK wants it (RFC 7518 section 6.3). */
const jwkNumber = (mpint: Uint8Array): string => {
  const first = mpint.findIndex((byte) => byte !== 0)
  return Buffer.from(first < 0 ? [0] : mpint.subarray(first)).toString('base64url')
}
const big = (bytes: Buffer): bigint => BigInt(`0x0${bytes.toString('hex')}`)
const ofBig = (value: bigint): string => {
  const hex = value.toString(16)
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url')
}

const jwkOf = (type: string, fields: Cursor): Readonly<Record<string, string>> => {
  if (type === 'ssh-ed25519') {
    const x = fields.string()
    const d = fields.string().subarray(0, 32)
    return { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url'), d: d.toString('base64url') }
  }
  if (type === 'ssh-rsa') {
    const [n, e, d, qi, p, q] = Array.from({ length: 6 }, () => fields.string())
    if (!n || !e || !d || !qi || !p || !q || big(p) < 2n || big(q) < 2n) throw new Error('is damaged')
    const [dp, dq] = [ofBig(big(d) % (big(p) - 1n)), ofBig(big(d) % (big(q) - 1n))]
    const numbers = { n: jwkNumber(n), e: jwkNumber(e), d: jwkNumber(d), p: jwkNumber(p), q: jwkNumber(q) }
    return { kty: 'RSA', ...numbers, dp, dq, qi: jwkNumber(qi) }
  }
  const bits = { 'ecdsa-sha2-nistp256': 256, 'ecdsa-sha2-nistp384': 384, 'ecdsa-sha2-nistp521': 521 }[type]
  if (bits === undefined) throw new Error(`is a ${JSON.stringify(type)} key; expected ed25519, ECDSA or RSA`)
  fields.string()
  const point = fields.string()
  const size = Math.ceil(bits / 8)
  if (point.length !== 1 + 2 * size || point[0] !== 4) throw new Error('is damaged')
  const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)].map((half) => half.toString('base64url'))
  const scalar = fields.string()
  const d = Buffer.concat([Buffer.alloc(size), scalar])
    .subarray(-size)
    .toString('base64url')
  return { kty: 'EC', crv: `P-${bits}`, x: x ?? '', y: y ?? '', d }
}

const readOpenSsh = (base64: string): KeyObject => {
  const outer = new Cursor(Buffer.from(base64, 'base64'))
  if (!outer.take(magic.length).equals(magic)) throw new Error('is damaged')
  if (outer.text() !== 'none') throw new Error('is encrypted; expected a key without a passphrase')
  outer.string()
  outer.string()
  if (outer.uint32() !== 1) throw new Error('holds more than one key')
  outer.string()
  const inner = new Cursor(outer.string())
  const [check, again] = [inner.uint32(), inner.uint32()]
  if (check !== again) throw new Error('is damaged')
  const type = inner.text()
  return createPrivateKey({ format: 'jwk', key: jwkOf(type, inner) })
}

/** The two halves belong together: a host key whose public half is another key's would fail at every login. */
const fits = (key: KeyObject): boolean => {
  if (key.asymmetricKeyType !== 'ed25519') return true
  const { x, d = '' } = key.export({ format: 'jwk' })
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex')
  const der = Buffer.concat([prefix, Buffer.from(d, 'base64url')])
  const derived = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
  return derived.export({ format: 'jwk' }).x === x
}

const read = (pem: string): KeyObject => {
  const text = pem.trim()
  const openSsh = armour.exec(text)
  if (openSsh !== null) return readOpenSsh(openSsh[1] ?? '')
  if (/ENCRYPTED/.test(text)) throw new Error('is encrypted; expected a key without a passphrase')
  if (/^-----BEGIN [A-Z ]*PUBLIC KEY-----/.test(text)) throw new Error('is a public key; expected a private one')
  return createPrivateKey(text)
}

/** The key of a PEM text that is an ed25519 host key; undefined: it is another. @throws Error if it is no host key */
export const ed25519HostKey = (pem: string): KeyObject | undefined => {
  const key = read(pem)
  return key.asymmetricKeyType === 'ed25519' ? key : undefined
}

/** What makes the PEM text unusable as a host key, reading after its name; undefined if nothing does. Quotes no secrets. */
export const hostKeyProblem = (pem: string): string | undefined => {
  try {
    const key = read(pem)
    const { asymmetricKeyType: type = 'unknown' } = key
    if (!['ed25519', 'ec', 'rsa'].includes(type)) return `is of type ${type}; expected ed25519, ECDSA or RSA`
    if (!fits(key)) return 'is damaged: its two halves do not belong together'
    const curve = key.asymmetricKeyDetails?.namedCurve
    const isKnownCurve = curve === undefined || ['prime256v1', 'secp384r1', 'secp521r1'].includes(curve)
    return isKnownCurve ? undefined : `is on the curve ${curve}, which SSH does not know`
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    // OpenSSL's and Node's own texts say nothing an administrator could use.
    if (code !== undefined) return 'is not a private key that can be read (PEM: OpenSSH, PKCS#1, PKCS#8 or SEC 1)'
    return error instanceof Error ? error.message : String(error)
  }
}
