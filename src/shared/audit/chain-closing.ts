/**
 * The last message of a log: a batch by itself, signed with the host's ed25519 key where there is one. What is signed is
 * `ContainerSSH-Auditlog-v1`, a zero byte, and the SHA-256 of the message as it would be packed without the key `signature`,
 * which is the last of its keys.
 */
import { createPublicKey, sign, verify } from 'node:crypto'
import { ed25519HostKey } from '../private-key.ts'
import { createOutput } from './cbor-output.ts'
import { type ChainState, chainHash } from './chain.ts'
import { createPacker } from './pack.ts'

export interface Signer {
  /** Public key blob, RFC 8709 section 4. */
  readonly blob: Uint8Array
  /** 64 bytes, RFC 8032. */
  sign(text: Uint8Array): Uint8Array
}

const domain = Buffer.from('ContainerSSH-Auditlog-v1\0', 'latin1')
const signedText = (message: Uint8Array): Buffer => Buffer.concat([domain, chainHash(message)])

const blobHead = Buffer.from('\0\0\0\x0bssh-ed25519\0\0\0\x20', 'latin1')
/** DER of a SubjectPublicKeyInfo (RFC 8410) up to the 32 bytes of the key. */
const spkiHead = Buffer.from('302a300506032b6570032100', 'hex')
const keyBytes = 32

/** The first of the PEM texts that is an ed25519 key; undefined: none is. */
export function signerOf(hostKeys: readonly string[]): Signer | undefined {
  for (const pem of hostKeys) {
    const key = ed25519HostKey(pem)
    if (key === undefined) continue
    const point = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(spkiHead.length)
    return { blob: Buffer.concat([blobHead, point]), sign: (text) => sign(null, text, key) }
  }
  return undefined
}

/** The `disconnect` that ends a log, as a batch of its own. Without `chain` it is as the Go program has it. */
export function closingBatch(
  connectionId: string,
  timestamp: bigint,
  chain: ChainState | undefined,
  signer: Signer | undefined,
): Uint8Array {
  const out = createOutput()
  const packer = createPacker(connectionId, out, chain)
  packer.pack({ connectionId, timestamp, type: 'disconnect', payload: null, channelId: null })
  const message = out.take()
  if (chain === undefined || signer === undefined) return message
  return signed(message, signer)
}

const signerKey = Buffer.from('\x66signer', 'latin1')
/** Key and head of the 64 bytes of the signature. */
const signatureKey = Buffer.from('\x69signature\x58\x40', 'latin1')
const signatureBytes = 64

function signed(message: Uint8Array, { blob, sign: signText }: Signer): Uint8Array {
  const unsigned = Buffer.concat([message, signerKey, Buffer.of(0x58, blob.length), blob])
  // A map with so few keys has their number in its first byte.
  unsigned[0] = (message[0] ?? 0) + 1
  const signature = signText(signedText(unsigned))
  const whole = Buffer.concat([unsigned, signatureKey, signature])
  whole[0] = (unsigned[0] ?? 0) + 1
  return whole
}

/** Whether `message`, as it is stored, ends with a signature of it by the key in `blob`. */
export function isSigned(message: Uint8Array, blob: Uint8Array): boolean {
  const end = message.length - signatureBytes
  const start = end - signatureKey.length
  if (start < 1 || !Buffer.from(message.subarray(start, end)).equals(signatureKey)) return false
  if (blob.length !== blobHead.length + keyBytes || !blobHead.equals(blob.subarray(0, blobHead.length))) return false
  const unsigned = Uint8Array.from(message.subarray(0, start))
  unsigned[0] = (message[0] ?? 0) - 1
  const der = Buffer.concat([spkiHead, blob.subarray(blobHead.length)])
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
  return verify(null, signedText(unsigned), key, message.subarray(end))
}
