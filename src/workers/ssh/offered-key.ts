/** What a client offers in a publickey request (RFC 4252 section 7): parsed, and its signature verified. */
import { createLru } from '../../shared/lru.ts'
import type { Attempt } from '../ports.ts'
import { BlobReader, sshString } from './blob.ts'
import { blobTypeOf, certificateAlgorithms, parseCertificate, plainName } from './certificate.ts'
import type { Proof } from './messages.ts'
import { type PublicKey, parsePublicKeyBlob, signatureAlgorithms } from './public-key.ts'
import { verifySignature } from './signature.ts'

/**
 * Keys that somebody had proven to have, by the bytes of their blobs: to make one for OpenSSL again costs 60 us of a login.
 * Only by a signature can a client put one in, and get another out.
 */
const provenKeys = createLru<string, PublicKey>(1024)
/** Of an RSA key of 8192 bits; the blob of a security key can have any length. */
const longestProvenBytes = 1100

export type OfferedKey = Extract<Attempt, { readonly method: 'publickey' }>

/**
 * A text is the reason why the offer is refused. Without a proof the client only asks whether the key would do: what
 * can be known without a signature is checked all the same, so that nobody is asked for one in vain.
 */
export const readOffer = (
  algorithm: string,
  blob: Buffer,
  proof: Proof | undefined,
  sessionId: Uint8Array,
): OfferedKey | string => {
  const isCertified = certificateAlgorithms.includes(algorithm)
  if (!isCertified && !signatureAlgorithms.includes(algorithm)) {
    return `signature algorithm ${algorithm} is not supported`
  }
  try {
    if (new BlobReader(blob).text('key type') !== blobTypeOf(algorithm)) {
      return `the key is not of the type that ${algorithm} is for`
    }
    const certificate = isCertified ? parseCertificate(blob) : undefined
    const offer: OfferedKey = {
      method: 'publickey',
      algorithm,
      blob,
      signed: false,
      ...(certificate && { certificate }),
    }
    return proof === undefined ? offer : proven(offer, blob, proof, sessionId)
  } catch (cause) {
    return `malformed ${isCertified ? 'certificate' : 'key'}: ${cause instanceof Error ? cause.message : String(cause)}`
  }
}

/** Before anything else looks at the offer: what was not signed was never said. */
function proven(offer: OfferedKey, blob: Buffer, proof: Proof, sessionId: Uint8Array): OfferedKey | string {
  const { certificate } = offer
  const name = certificate === undefined && blob.length <= longestProvenBytes ? blob.toString('latin1') : ''
  const key = certificate?.key ?? provenKeys.get(name) ?? parsePublicKeyBlob(blob)
  const data = Buffer.concat([sshString(sessionId), proof.signed])
  const verdict = verifySignature(key, plainName(offer.algorithm), data, proof.signature)
  if (!verdict.valid) return 'the signature is not valid'
  if (name !== '') provenKeys.set(name, key)
  return { ...offer, signed: true, ...(verdict.attested && { attested: verdict.attested }) }
}
