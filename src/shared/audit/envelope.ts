/**
 * Encryption of a log, whichever its format: before its bytes reach the disk they are put into an envelope, record by
 * record, that only the recipients can open.
 *
 *     0   32  "ContainerSSH-Auditlog-Encrypted" and a zero byte
 *     32   8  version of the envelope: 1, 64 bit, little endian
 *     40   4  length of what follows, 32 bit, little endian
 *     44   …  an age file (age-encryption.org/v1) that holds the key of the log, 32 random bytes
 *     …    …  records: length of the rest of the record, 32 bit, little endian; AES-256-GCM ciphertext; tag of 16 bytes
 *
 * The nonce of a record is its number, from 0, 96 bit, big endian; additional data is one byte, 1 for the last record of
 * the log, else 0: a log that was cut does not look like one that ended. The contents of the records, one behind the
 * other, are the log.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { ageRecipient } from './envelope-keys.ts'

export const envelopeMagic = Buffer.from('ContainerSSH-Auditlog-Encrypted\0', 'latin1')
export const envelopeVersion = 1n
/** Magic, version, length of the age file. */
export const envelopeHeadBytes = 44
export const lengthBytes = 4
export const tagBytes = 16
/** Of a record without its length; a batch is far smaller. */
export const mostSealedBytes = 4 * 1024 * 1024
export const contentKeyBytes = 32

/** What the next record of a log is sealed with; plain data, so that it can go from thread to thread. */
export interface EnvelopeState {
  readonly key: Uint8Array
  /** Number of the next record. */
  readonly count: number
}

/**
 * For a new log. `head` is the beginning of its file.
 * @throws Error if a recipient is none, see `recipientProblem`
 */
export async function newEnvelope(recipients: readonly string[]): Promise<{ head: Uint8Array; state: EnvelopeState }> {
  // Takes a tenth of a second to load, which only those pay who encrypt.
  const { Encrypter } = await import('age-encryption')
  const encrypter = new Encrypter()
  for (const recipient of recipients) encrypter.addRecipient(ageRecipient(recipient))
  const key = randomBytes(contentKeyBytes)
  const file = await encrypter.encrypt(key)
  const head = Buffer.alloc(envelopeHeadBytes)
  envelopeMagic.copy(head)
  head.writeBigUInt64LE(envelopeVersion, envelopeMagic.length)
  head.writeUInt32LE(file.length, envelopeHeadBytes - lengthBytes)
  return { head: Buffer.concat([head, file]), state: { key, count: 0 } }
}

const nonceOf = (count: number): Buffer => {
  const nonce = Buffer.alloc(12)
  nonce.writeBigUInt64BE(BigInt(count), 4)
  return nonce
}
const dataOf = (isLast: boolean): Buffer => Buffer.of(isLast ? 1 : 0)
const cipher = 'aes-256-gcm'

/**
 * One record. Two of the same log must never have the same number: the state that is returned is for the next.
 * @throws RangeError for more than `mostSealedBytes`
 */
export function seal(
  { key, count }: EnvelopeState,
  content: Uint8Array,
  isLast: boolean,
): { readonly bytes: Uint8Array; readonly state: EnvelopeState } {
  const size = content.length + tagBytes
  if (size > mostSealedBytes) throw new RangeError(`${content.length} bytes are too many for one record`)
  const engine = createCipheriv(cipher, key, nonceOf(count), { authTagLength: tagBytes })
  engine.setAAD(dataOf(isLast))
  const sealed = engine.update(content)
  engine.final()
  const length = Buffer.alloc(lengthBytes)
  length.writeUInt32LE(size)
  return { bytes: Buffer.concat([length, sealed, engine.getAuthTag()]), state: { key, count: count + 1 } }
}

/** `sealed`: a record without its length. Undefined: this is not what was sealed there. */
export function unseal(
  { key, count }: EnvelopeState,
  sealed: Uint8Array,
): { readonly content: Buffer; readonly isLast: boolean } | undefined {
  for (const isLast of [false, true]) {
    const engine = createDecipheriv(cipher, key, nonceOf(count), { authTagLength: tagBytes })
    engine.setAAD(dataOf(isLast))
    engine.setAuthTag(sealed.subarray(-tagBytes))
    const content = engine.update(sealed.subarray(0, -tagBytes))
    try {
      engine.final()
      return { content, isLast }
    } catch {
      // Wrong, or the other kind of record.
    }
  }
  return undefined
}
