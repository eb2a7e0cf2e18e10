/** OpenSSH's certificates: PROTOCOL.certkeys. A blob to typed values; who may use them is not decided here. */
import { BlobReader, MalformedBlob, sshString } from './blob.ts'
import { textOf } from './bytes.ts'
import { type PublicKey, parseKeyParts, signatureAlgorithms } from './public-key.ts'
import { verifySignature } from './signature.ts'

export interface Certificate {
  /** As named at the start of the blob: `ssh-rsa-cert-v01@openssh.com` for every RSA key. */
  readonly type: string
  /** The certified key, as it would be without the certificate. */
  readonly key: PublicKey
  readonly serial: bigint
  /** Undefined: a kind that does not exist. */
  readonly kind: 'user' | 'host' | undefined
  /** Whatever the CA wrote, UTF-8 or not. */
  readonly keyId: string
  readonly principals: readonly string[]
  /** Seconds since 1970, after <= now < before. */
  readonly validAfter: bigint
  readonly validBefore: bigint
  /** The data as it stands in the certificate. */
  readonly criticalOptions: ReadonlyMap<string, Uint8Array>
  readonly extensions: ReadonlyMap<string, Uint8Array>
  /** Public key blob of the CA; not parsed, because strangers' keys are not worth the time. */
  readonly authority: Uint8Array
  readonly signed: Uint8Array
  readonly signature: Uint8Array
}

const suffix = '-cert-v01@openssh.com'
/** As many as OpenSSH takes (SSHKEY_CERT_MAX_PRINCIPALS). */
const mostPrincipals = 256

/** The algorithm or key type that a certificate's name is made of: `ssh-ed25519` of `ssh-ed25519-cert-v01@openssh.com`. */
export const plainName = (name: string): string => {
  if (!name.endsWith(suffix)) return name
  const plain = name.slice(0, -suffix.length)
  return plain.startsWith('sk-') ? `${plain}@openssh.com` : plain
}

const certificateName = (plain: string): string => plain.replace('@openssh.com', '') + suffix

/** Names of signature algorithms by certified keys, best first; never SHA-1. */
export const certificateAlgorithms: readonly string[] = signatureAlgorithms.map(certificateName)

/** The type at the start of the blobs that an algorithm, plain or of a certificate, is for. */
export const blobTypeOf = (algorithm: string): string => algorithm.replace(/^rsa-sha2-(256|512)/, 'ssh-rsa')

/** The certificate algorithms of a host key, in the order of its plain ones. */
export const certifiedAlgorithms = (plain: readonly string[]): readonly string[] => plain.map(certificateName)

/** Throws `MalformedBlob`, or an Error that says what is not supported. The result keeps a copy of the bytes. */
export const parseCertificate = (bytes: Uint8Array): Certificate => {
  const blob = Buffer.from(bytes)
  const reader = new BlobReader(blob)
  const type = reader.text('certificate type')
  if (!type.endsWith(suffix)) throw new Error(`${JSON.stringify(type)} is no type of certificate`)
  reader.string('nonce')
  const key = certifiedKey(reader, blob, plainName(type))
  const serial = reader.uint64('serial')
  const kind = ([undefined, 'user', 'host'] as const)[reader.uint32('type')]
  const keyId = Buffer.from(reader.string('key id')).toString('utf8')
  const principals = names(reader.string('principals'))
  const validAfter = reader.uint64('valid after')
  const validBefore = reader.uint64('valid before')
  const criticalOptions = options(reader.string('critical options'))
  const extensions = options(reader.string('extensions'))
  reader.string('reserved')
  const authority = reader.string('CA key')
  if (new BlobReader(authority).text('CA key type').endsWith(suffix)) throw new Error('its CA is a certificate itself')
  const signed = blob.subarray(0, reader.position)
  const signature = reader.string('signature')
  reader.end('certificate')
  const validity = { validAfter, validBefore }
  return {
    type,
    key,
    serial,
    kind,
    keyId,
    principals,
    ...validity,
    criticalOptions,
    extensions,
    authority,
    signed,
    signature,
  }
}

function certifiedKey(reader: BlobReader, blob: Buffer, type: string): PublicKey {
  const start = reader.position
  const parts = parseKeyParts(reader, type)
  const plain = Buffer.concat([sshString(type), blob.subarray(start, reader.position)])
  return { type, blob: plain, ...parts }
}

function names(bytes: Uint8Array): readonly string[] {
  const reader = new BlobReader(bytes)
  const found: string[] = []
  while (reader.remaining > 0) {
    const name = textOf(Buffer.from(reader.string('principal')))
    if (name === undefined) throw new MalformedBlob('a principal is not UTF-8')
    if (found.push(name) > mostPrincipals) throw new MalformedBlob(`it has more than ${mostPrincipals} principals`)
  }
  return found
}

/** Pairs of a name and its data. A name that stands there twice could mean either. */
function options(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const reader = new BlobReader(bytes)
  const found = new Map<string, Uint8Array>()
  while (reader.remaining > 0) {
    const name = reader.text('name of an option')
    if (found.has(name)) throw new MalformedBlob(`the option ${name} stands there twice`)
    found.set(name, reader.string(`option ${name}`))
  }
  return found
}

/** `authority` must be the key of the certificate's CA. False for everything malformed, and for SHA-1. Never throws. */
export const isSignedBy = (certificate: Certificate, authority: PublicKey): boolean => {
  const { signed, signature } = certificate
  return authority.algorithms.some((name): boolean => verifySignature(authority, name, signed, signature).valid)
}
