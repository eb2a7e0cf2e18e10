/** By node:crypto: there whatever the platform. */
import { diffieHellman, generateKeyPairSync, sign, verify } from 'node:crypto'
import { base64url } from '../blob.ts'
import { importPublicKey } from '../import-key.ts'
import type { Curve25519 } from './index.ts'

export const openssl: Curve25519 = {
  // Keys go in and out as JWK, because DER costs 20 us each way more.
  agree(clientValue) {
    const { privateKey, publicKey: ours } = generateKeyPairSync('x25519')
    const key = { kty: 'OKP', crv: 'X25519', x: base64url(clientValue) }
    const secret = diffieHellman({ privateKey, publicKey: importPublicKey(key) })
    // RFC 8731 section 3: abort on the all-zero value. OpenSSL refuses it too; this line does not rely on that.
    if (secret.every((byte) => byte === 0)) throw new Error('the X25519 public key has a small order')
    return { answer: Buffer.from(ours.export({ format: 'jwk' }).x ?? '', 'base64url'), secret }
  },
  signer: (key) => (data) => sign(null, data, key),
  verify: ({ key }, data, signature) => signature.length === 64 && verify(null, data, key, signature),
}
