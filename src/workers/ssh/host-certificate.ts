/** Certificates of our host keys: PROTOCOL.certkeys; ssh-keygen(1), `-h`. */
import { parseCertificateLine } from '../../shared/authorized-key.ts'
import { type Certificate, certifiedAlgorithms, parseCertificate } from './certificate.ts'
import type { HostKey } from './host-key.ts'
import { fingerprint } from './public-key.ts'

export interface CertifiedKeys {
  /** Certificates first, as clients that know the CA should see them first; then all the keys. */
  readonly keys: readonly HostKey[]
  /** Certificates that are left out, one sentence each: clients then meet the plain key. */
  readonly warnings: readonly string[]
}

/** `lines`: as in the files of ssh-keygen. */
export const withCertificates = (keys: readonly HostKey[], lines: readonly string[]): CertifiedKeys => {
  const certified: HostKey[] = []
  const warnings: string[] = []
  for (const line of lines) {
    try {
      certified.push(certify(keys, Buffer.from(parseCertificateLine(line).blob)))
    } catch (error) {
      warnings.push(`host certificate left out: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return { keys: [...certified, ...keys], warnings }
}

function certify(keys: readonly HostKey[], blob: Buffer): HostKey {
  const certificate = parseCertificate(blob)
  const problem = problemOf(certificate)
  const print = fingerprint(certificate.key.blob)
  if (problem !== undefined) throw new Error(`that of ${print} ${problem}`)
  const key = keys.find((candidate) => candidate.blob.equals(certificate.key.blob))
  if (key === undefined) throw new Error(`that of ${print} belongs to none of the host keys`)
  return { ...key, type: certificate.type, algorithms: certifiedAlgorithms(key.algorithms), blob }
}

function problemOf({ kind, validBefore, principals }: Certificate): string | undefined {
  if (kind !== 'host') return 'is a certificate for users, not for hosts'
  if (validBefore <= BigInt(Math.floor(Date.now() / 1000))) return 'has expired'
  // Releases of ssh(1) take these for any host, or for none.
  return principals.length === 0 ? 'names no host' : undefined
}
