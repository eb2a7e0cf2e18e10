/** Entries of `auth.revokedKeys`. */
import { createHash } from 'node:crypto'
import { parseKeyLine } from './authorized-key.ts'

export type RevokedKey =
  /** `SHA256:…`, of a user's key, of a certified key or of a CA. */
  | { readonly kind: 'key'; readonly fingerprint: string }
  /** Certificates of one CA, by their numbers, both ends included. */
  | { readonly kind: 'serial'; readonly authority: string; readonly first: bigint; readonly last: bigint }

const fingerprint = /^SHA256:[A-Za-z0-9+/]{43}=?$/
const serials = /^serial:(SHA256:[A-Za-z0-9+/]{43}):(\d{1,20})(?:-(\d{1,20}))?$/
const largestSerial = 2n ** 64n - 1n

/** True for an entry, false for what is probably the name of a file. */
export const looksLikeRevokedKey = (entry: string): boolean => /^\s*(SHA256:|serial:)/.test(entry)

/**
 * Reads a public key line, `SHA256:FINGERPRINT` or `serial:SHA256:FINGERPRINT-OF-THE-CA:N` or `…:N-M`.
 * @throws Error with what is wrong; its text reads after the entry.
 */
export const parseRevokedKey = (entry: string): RevokedKey => {
  const text = entry.trim()
  if (fingerprint.test(text)) return { kind: 'key', fingerprint: text.replace('=', '') }
  if (text.startsWith('serial:')) {
    const [, authority = '', from = '', to = from] = serials.exec(text) ?? []
    const [first, last] = [BigInt(from), BigInt(to)]
    if (authority !== '' && first <= last && last <= largestSerial) return { kind: 'serial', authority, first, last }
    throw new Error('is not accepted; expected serial:SHA256:FINGERPRINT-OF-THE-CA:NUMBER or …:FIRST-LAST')
  }
  if (looksLikeRevokedKey(text)) throw new Error('is not accepted; expected SHA256: and 43 characters of base64')
  const { blob } = parseKeyLine(text)
  return { kind: 'key', fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}` }
}
