/** Signatures of tests: verified as the server does, and made as a FIDO token makes them (PROTOCOL.u2f). */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { sshMpint, sshString } from '../../../src/workers/ssh/blob.ts'
import { parsePublicKeyBlob, publicKeyBlob } from '../../../src/workers/ssh/public-key.ts'
import { verifySignature } from '../../../src/workers/ssh/signature.ts'

/** False also for a blob that is no key, and for a security key that nobody touched. */
export function verifyUserSignature(algorithm: string, blob: Uint8Array, data: Uint8Array, signature: Uint8Array) {
  try {
    const verdict = verifySignature(parsePublicKeyBlob(blob), algorithm, data, signature)
    return verdict.valid && verdict.attested?.touched !== false
  } catch {
    return false
  }
}

export interface SecurityKey {
  readonly algorithm: string
  readonly blob: Buffer
  /** A signature blob; `flags`: 1 for touched, 4 for verified. */
  sign(data: Uint8Array, flags: number): Buffer
}

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

export function securityKey(kind: 'ed25519' | 'ecdsa'): SecurityKey {
  const isEd25519 = kind === 'ed25519'
  const { privateKey, publicKey } = isEd25519
    ? generateKeyPairSync('ed25519')
    : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = isEd25519 ? 'sk-ssh-ed25519@openssh.com' : 'sk-ecdsa-sha2-nistp256@openssh.com'
  const plain = publicKeyBlob(publicKey)
  const rest = plain.blob.subarray(4 + plain.type.length)
  const prove = isEd25519 ? (data: Uint8Array) => sign(null, data, privateKey) : ecdsa(privateKey)
  return {
    algorithm,
    blob: Buffer.concat([sshString(algorithm), rest, sshString('ssh:')]),
    sign(data, flags) {
      const trailer = Buffer.of(flags, 0, 0, 0, 7)
      const signed = Buffer.concat([sha256(Buffer.from('ssh:')), trailer, sha256(data)])
      return Buffer.concat([sshString(algorithm), sshString(prove(signed)), trailer])
    },
  }
}

const ecdsa = (key: KeyObject) => (data: Uint8Array) => {
  const rs = sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' })
  return Buffer.concat([sshMpint(rs.subarray(0, 32)), sshMpint(rs.subarray(32))])
}
