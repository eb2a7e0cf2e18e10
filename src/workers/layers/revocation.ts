/** `auth.revokedKeys`: what nobody may use any more, whoever allows it. */
import { type Fault, fault } from '../../shared/codes/fault.ts'
import { parseRevokedKey } from '../../shared/revoked-key.ts'
import type { OfferedKey } from '../ssh/offered-key.ts'
import { fingerprint } from '../ssh/public-key.ts'
import { describeCertificate } from './certificates.ts'
import type { Moment } from './key-verdict.ts'

export interface Revocation {
  /** The refusal, when the key, the certified key, its CA or the certificate's serial is revoked. */
  objection(offer: OfferedKey, moment: Moment): Fault | undefined
}

interface Range {
  readonly first: bigint
  readonly last: bigint
}

/** Throws an Error for an entry that cannot be read: to leave one out would let somebody in. */
export function createRevocation(entries: readonly string[]): Revocation {
  const keys = new Set<string>()
  /** By fingerprint of the CA. */
  const serials = new Map<string, Range[]>()
  for (const entry of entries.map(parseRevokedKey)) {
    if (entry.kind === 'key') keys.add(entry.fingerprint)
    else serials.set(entry.authority, [...(serials.get(entry.authority) ?? []), entry])
  }
  if (keys.size === 0 && serials.size === 0) return { objection: () => undefined }
  return {
    objection({ blob, certificate }, { username }) {
      const name = fingerprint(certificate?.key.blob ?? blob)
      if (certificate === undefined) {
        return keys.has(name) ? fault('AUTH_KEY_REVOKED', { username, fingerprint: name }) : undefined
      }
      const authority = fingerprint(certificate.authority)
      const { serial } = certificate
      const isSerial = serials.get(authority)?.some(({ first, last }) => first <= serial && serial <= last) === true
      if (!isSerial && !keys.has(name) && !keys.has(authority)) return undefined
      return fault('AUTH_KEY_REVOKED', { username, fingerprint: name, ...describeCertificate(certificate) })
    },
  }
}
