/** Whom logs are encrypted to, and who can read them: keys of age, and X25519 keys of other programs as keys of age. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { fromBech32, toBech32 } from '../bech32.ts'

/** Bytes behind the prefixes that we know: X25519, and X25519 with ML-KEM 768. */
const recipients: Readonly<Record<string, number>> = { age: 32, age1pq: 1216 }
const identities: readonly string[] = ['age-secret-key-', 'age-secret-key-pq-']
const keyBytes = 32
const expected = 'expected an age recipient (age1…), or an X25519 public key in PEM or base64'

/** As age writes it. @throws Error with what is wrong; its text reads after the value */
export function ageRecipient(text: string): string {
  const trimmed = text.trim()
  if (/^age-secret-key-/i.test(trimmed)) throw new Error(`is a secret key; ${expected}`)
  if (/^age1/i.test(trimmed)) {
    const key = fromBech32(trimmed)
    if (key === undefined) throw new Error('is not a whole age recipient: its checksum is wrong')
    if (recipients[key.prefix] !== key.bytes.length) throw new Error(`is of a kind that is not known; ${expected}`)
    return trimmed.toLowerCase()
  }
  if (trimmed.startsWith('-----BEGIN')) return toBech32('age', Buffer.from(pointOf(trimmed), 'base64url'))
  const point = Buffer.from(trimmed, 'base64')
  if (point.length !== keyBytes || point.toString('base64') !== trimmed) throw new Error(`is no key; ${expected}`)
  return toBech32('age', point)
}

function pointOf(pem: string): string {
  // Node makes a public key of a private one: that would go unnoticed, and the secret would stay in the configuration.
  if (/PRIVATE KEY/.test(pem)) throw new Error(`is a private key; ${expected}`)
  const key = attempt(() => createPublicKey(pem))
  if (key?.asymmetricKeyType !== 'x25519') throw new Error(`is no X25519 key; ${expected}`)
  return key.export({ format: 'jwk' }).x ?? ''
}

/** What is wrong with a recipient, reading after its value; undefined if nothing is. Quotes no secrets. */
export function recipientProblem(text: string): string | undefined {
  try {
    ageRecipient(text)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/**
 * The identities of a file as age-keygen writes it, or of an X25519 private key in PEM.
 * @throws Error with what is wrong, quoting no secrets; its text reads after the file's name
 */
export function ageIdentities(content: string): string[] {
  const text = content.trim()
  if (text.startsWith('-----BEGIN')) {
    const key = attempt(() => createPrivateKey(text))
    if (key?.asymmetricKeyType !== 'x25519') throw new Error('expected an X25519 private key, found another')
    const scalar = Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url')
    return [toBech32('age-secret-key-', scalar).toUpperCase()]
  }
  const found: string[] = []
  text.split(/\r?\n/).forEach((line, index) => {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) return
    const key = fromBech32(trimmed)
    if (key === undefined || !identities.includes(key.prefix) || key.bytes.length !== keyBytes) {
      throw new Error(`line ${index + 1}: expected an age identity (AGE-SECRET-KEY-1…), found something else`)
    }
    found.push(trimmed.toUpperCase())
  })
  if (found.length === 0) throw new Error('expected an age identity (AGE-SECRET-KEY-1…), found none')
  return found
}

function attempt(read: () => KeyObject): KeyObject | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
