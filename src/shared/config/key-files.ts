/** Options that list public keys and certificates: each entry is a line, or the name of a file of such lines. */
import { filledLines, looksLikeKey, parseCertificateLine, parseKeyLine } from '../authorized-key.ts'
import { looksLikeRevokedKey, parseRevokedKey } from '../revoked-key.ts'
import type { Finding } from './checks.ts'
import { show } from './problems.ts'
import { readBounded } from './read-bounded.ts'
import type { Config } from './schema.ts'

interface Kind {
  readonly what: string
  isLine(entry: string): boolean
  /** Throws an Error whose text reads after the line. */
  check(line: string): void
}

const authorizedKey: Kind = { what: 'a public key', isLine: looksLikeKey, check: parseKeyLine }
const certificate: Kind = { what: 'a certificate', isLine: looksLikeKey, check: parseCertificateLine }
const revoked: Kind = {
  what: 'a key, a fingerprint, serial:…',
  isLine: (entry) => looksLikeKey(entry) || looksLikeRevokedKey(entry),
  check: parseRevokedKey,
}

const mostBytes = 16 * 1024 * 1024
/** What OpenSSH writes with `ssh-keygen -k`. */
const krlMagic = 'SSHKRL\n\0'

const linesOf = async (entry: string, kind: Kind): Promise<string[]> => {
  if (kind.isLine(entry)) return [entry]
  const bytes = await readBounded(entry, mostBytes).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${show(entry)} is neither ${kind.what} nor a file that can be read (${error.code ?? 'error'})`)
  })
  if (bytes === undefined) throw new Error(`the file ${show(entry)} is larger than 16 MiB`)
  if (bytes.toString('latin1', 0, krlMagic.length) === krlMagic) {
    throw new Error(`the file ${show(entry)} is a binary revocation list; expected lines with ${kind.what}`)
  }
  return filledLines(bytes.toString('utf8'))
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const read = async (entries: readonly string[], path: Finding['path'], kind: Kind, findings: Finding[]) => {
  const one = async (entry: string, index: number): Promise<string[]> => {
    const find = (message: string): void => void findings.push({ path: [...path, index], message })
    try {
      const lines = await linesOf(entry, kind)
      for (const line of lines) {
        try {
          kind.check(line)
        } catch (error) {
          find(`${show(line)} ${messageOf(error)}`)
        }
      }
      return lines
    } catch (error) {
      find(messageOf(error))
      return []
    }
  }
  return (await Promise.all(entries.map(one))).flat()
}

/** Lines of authorized keys in place of the names of files; each is checked. */
export const readAuthorizedKeys = (entries: readonly string[], path: Finding['path'], findings: Finding[]) =>
  read(entries, path, authorizedKey, findings)

/** Replaces the names of files by the lines in them, and checks each line. */
export const readKeys = async (config: Config, findings: Finding[]): Promise<Config> => {
  const { auth, ssh } = config
  const keysOf = async (user: Config['auth']['users'][number], index: number) => {
    const path = ['auth', 'users', index, 'authorizedKeys']
    return { ...user, authorizedKeys: await readAuthorizedKeys(user.authorizedKeys, path, findings) }
  }
  const users = await Promise.all(auth.users.map(keysOf))
  const userCAs = await read(auth.userCAs, ['auth', 'userCAs'], authorizedKey, findings)
  const revokedKeys = await read(auth.revokedKeys, ['auth', 'revokedKeys'], revoked, findings)
  const hostCertificates = await read(ssh.hostCertificates, ['ssh', 'hostCertificates'], certificate, findings)
  return { ...config, auth: { ...auth, users, userCAs, revokedKeys }, ssh: { ...ssh, hostCertificates } }
}
