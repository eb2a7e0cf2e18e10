/** What a client offers in a publickey request (RFC 4252 section 7): parsed, and its signature verified. */
import type { Attempt } from '../ports.ts'
import { BlobReader, sshString } from './blob.ts'
import { blobTypeOf, type Certificate, certificateAlgorithms, parseCertificate, plainName } from './certificate.ts'
import type { Proof } from './messages.ts'
import { type PublicKey, parsePublicKeyBlob, signatureAlgorithms } from './public-key.ts'
import { verifySignature } from './signature.ts'

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
    return proof === undefined ? offer : proven(offer, proof, sessionId)
  } catch (cause) {
    return `malformed ${isCertified ? 'certificate' : 'key'}: ${cause instanceof Error ? cause.message : String(cause)}`
  }
}

/** Before anything else looks at the offer: what was not signed was never said. */
function proven(offer: OfferedKey, proof: Proof, sessionId: Uint8Array): OfferedKey | string {
  const key = keyOf(offer.certificate, offer.blob)
  const data = Buffer.concat([sshString(sessionId), proof.signed])
  const verdict = verifySignature(key, plainName(offer.algorithm), data, proof.signature)
  if (!verdict.valid) return 'the signature is not valid'
  return { ...offer, signed: true, ...(verdict.attested && { attested: verdict.attested }) }
}

const keyOf = (certificate: Certificate | undefined, blob: Uint8Array): PublicKey =>
  certificate === undefined ? parsePublicKeyBlob(blob) : certificate.key
