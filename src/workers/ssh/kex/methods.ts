/**
 * Key exchange methods, the server's half: from the client's public value to ours and to the shared secret.
 * RFC 8731 (curve25519), RFC 5656 (ecdh), RFC 4253 section 8 and RFC 8268 (diffie-hellman),
 * draft-ietf-sshm-mlkem-hybrid-kex (mlkem768x25519).
 */
import { createDiffieHellmanGroup, createECDH, createHash, encapsulate } from 'node:crypto'
import { BlobReader, base64url, sshMpint, sshString } from '../blob.ts'
import { type AgreedSecret, curve25519 } from '../curve25519/index.ts'
import { importPublicKey } from '../import-key.ts'

export interface KexResult {
  /** Our public value, as its bytes stand in the reply and in the exchange hash. */
  readonly answer: Uint8Array
  /** K as it is hashed: an mpint, or a string for the hybrid method. */
  readonly secret: Uint8Array
}
export interface KexMethod {
  readonly hash: 'sha1' | 'sha256' | 'sha384' | 'sha512'
  /** Throws when the client's value cannot be used. */
  respond(clientValue: Uint8Array): KexResult
}

function x25519(clientValue: Uint8Array): AgreedSecret {
  if (clientValue.length !== 32) throw new Error(`an X25519 public key has 32 bytes, not ${clientValue.length}`)
  return curve25519().agree(clientValue)
}

const curve25519Sha256: KexMethod = {
  hash: 'sha256',
  respond: (clientValue) => {
    const { answer, secret } = x25519(clientValue)
    return { answer, secret: sshMpint(secret) }
  },
}

/** `bytes`: length of a coordinate. */
const ecdh = (curve: string, bytes: number, hash: KexMethod['hash']): KexMethod => ({
  hash,
  respond: (clientValue) => {
    if (clientValue.length !== 1 + 2 * bytes || clientValue[0] !== 4) throw new Error('not an uncompressed point')
    const exchange = createECDH(curve)
    const answer = exchange.generateKeys()
    return { answer, secret: sshMpint(exchange.computeSecret(clientValue)) }
  },
})

/** OpenSSL refuses values below 2 and above p - 2. */
const finiteField = (group: string, hash: KexMethod['hash']): KexMethod => ({
  hash,
  respond: (clientValue) => {
    const value = new BlobReader(sshString(clientValue)).positive('the public value')
    const exchange = createDiffieHellmanGroup(group)
    const answer = sshMpint(exchange.generateKeys()).subarray(4)
    return { answer, secret: sshMpint(exchange.computeSecret(value)) }
  },
})

const mlkem768PublicBytes = 1184
/** The client's value is an ML-KEM-768 key and an X25519 key; ours is a ciphertext and an X25519 key. */
const mlkem768x25519: KexMethod = {
  hash: 'sha256',
  respond: (clientValue) => {
    if (clientValue.length !== mlkem768PublicBytes + 32) throw new Error(`unexpected length ${clientValue.length}`)
    const kem = clientValue.subarray(0, mlkem768PublicBytes)
    const key = importPublicKey({ kty: 'AKP', alg: 'ML-KEM-768', pub: base64url(kem) })
    const { sharedKey, ciphertext } = encapsulate(key)
    const classical = x25519(clientValue.subarray(mlkem768PublicBytes))
    const secret = createHash('sha256').update(sharedKey).update(classical.secret).digest()
    return { answer: Buffer.concat([ciphertext, classical.answer]), secret: sshString(secret) }
  },
}

/** All methods that can be configured. */
export const kexMethods: Readonly<Record<string, KexMethod>> = {
  'mlkem768x25519-sha256': mlkem768x25519,
  'curve25519-sha256': curve25519Sha256,
  'curve25519-sha256@libssh.org': curve25519Sha256,
  'ecdh-sha2-nistp256': ecdh('prime256v1', 32, 'sha256'),
  'ecdh-sha2-nistp384': ecdh('secp384r1', 48, 'sha384'),
  'ecdh-sha2-nistp521': ecdh('secp521r1', 66, 'sha512'),
  'diffie-hellman-group14-sha256': finiteField('modp14', 'sha256'),
  'diffie-hellman-group16-sha512': finiteField('modp16', 'sha512'),
  'diffie-hellman-group18-sha512': finiteField('modp18', 'sha512'),
  'diffie-hellman-group14-sha1': finiteField('modp14', 'sha1'),
  'diffie-hellman-group1-sha1': finiteField('modp2', 'sha1'),
}
