/**
 * May somebody log in with this certificate? As OpenSSH's sshd decides, but stricter in one point: an empty list of
 * principals is for nobody (PROTOCOL.certkeys has it for everybody, and one careless CA gave root to all).
 *
 * Everything up to the principals is the same work for every user name, so its time tells nothing about who exists.
 */
import { fault } from '../../shared/codes/fault.ts'
import type { KeyOptions } from '../../shared/key-options.ts'
import { type Certificate, isSignedBy } from '../ssh/certificate.ts'
import type { OfferedKey } from '../ssh/offered-key.ts'
import { fingerprint, type PublicKey } from '../ssh/public-key.ts'
import { bothOptions, certificateOptions } from './certificate-options.ts'
import { type KeyVerdict, type Moment, objection } from './key-verdict.ts'

/** A line that trusts a CA for the user in question. */
export interface Trust {
  readonly options: KeyOptions
  /** The certificate must list one of each. */
  readonly principals: readonly (readonly string[])[]
}

export interface Authorities {
  /** All CAs that somebody trusts, by fingerprint. */
  readonly keys: ReadonlyMap<string, PublicKey>
  /** For the user; empty for one who does not exist. */
  trusts(username: string, authority: string): readonly Trust[]
}

export function decideCertificate(
  authorities: Authorities,
  offer: OfferedKey,
  certificate: Certificate,
  moment: Moment,
): KeyVerdict {
  const authority = fingerprint(certificate.authority)
  const { username } = moment
  try {
    const wrong = defect(authorities, certificate, authority, moment.nowMs)
    if (wrong !== undefined) return refused(certificate, authority, username, wrong)
    const own = certificateOptions(certificate)
    let reason = 'the user is not listed in auth.users'
    for (const { options, principals } of authorities.trusts(username, authority)) {
      const both = bothOptions(options, own)
      const why = principalProblem(certificate, principals) ?? objection(both, offer, moment)
      if (why === undefined) return { kind: 'granted', options: both }
      reason = why
    }
    return refused(certificate, authority, username, reason)
  } catch (error) {
    return refused(certificate, authority, username, error instanceof Error ? error.message : String(error))
  }
}

/** What makes the certificate worthless to everybody. Cheap checks first: only then a signature is worth verifying. */
function defect({ keys }: Authorities, certificate: Certificate, authority: string, nowMs: number): string | undefined {
  const key = keys.get(authority)
  if (key === undefined) return 'its CA is not trusted here'
  if (certificate.kind !== 'user') return `it is ${certificate.kind === 'host' ? 'a host' : 'no user'} certificate`
  const now = BigInt(Math.floor(nowMs / 1000))
  if (now < certificate.validAfter) return `it is not valid before ${time(certificate.validAfter)}`
  if (now >= certificate.validBefore) return `it expired at ${time(certificate.validBefore)}`
  if (certificate.principals.length === 0) return 'it has no principals'
  return isSignedBy(certificate, key) ? undefined : 'the signature of its CA is not valid'
}

function principalProblem(certificate: Certificate, wanted: readonly (readonly string[])[]): string | undefined {
  const listed = new Set(certificate.principals)
  if (wanted.every((names) => names.some((name) => listed.has(name)))) return undefined
  return `it is for ${loggable(certificate.principals.join(', '))}`
}

function refused(certificate: Certificate, authority: string, username: string, reason: string): KeyVerdict {
  const labels = { username, reason, ...describeCertificate(certificate), authority }
  return { kind: 'refused', fault: fault('AUTH_CERTIFICATE_REFUSED', labels) }
}

/** For the log. The serial is a text: 64 bits do not fit a number. */
export const describeCertificate = ({ keyId, serial }: Certificate): { keyId: string; serial: string } => ({
  keyId: loggable(keyId),
  serial: String(serial),
})

/** Strangers wrote it: no more than a line, and nothing that steers a terminal. */
const loggable = (text: string): string => text.slice(0, 200).replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, '?')

const latestSecond = 8_640_000_000_000n
const time = (seconds: bigint): string =>
  seconds > latestSecond ? 'the end of time' : new Date(Number(seconds) * 1000).toISOString()
