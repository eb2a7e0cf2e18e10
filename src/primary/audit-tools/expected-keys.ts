/** The ed25519 keys that a log may be signed with: lines of known_hosts (sshd(8)) or of .pub files, in a file or one by itself. */
import { createHash } from 'node:crypto'
import { filledLines, looksLikeKey } from '../../shared/authorized-key.ts'
import { readTextFile, UnreadableError } from './log-file.ts'

const type = 'ssh-ed25519'

/**
 * Public key blobs.
 * @throws UnreadableError
 */
export async function expectedKeys(value: string): Promise<readonly Buffer[]> {
  const content = looksLikeKey(value) ? value : await readTextFile(value)
  const keys = filledLines(content).flatMap((line) => {
    const words = line.trim().split(/\s+/)
    const blob = Buffer.from(words[words.indexOf(type) + 1] ?? '', 'base64')
    // Marked lines are of keys that must not be accepted, or that sign certificates.
    const isKey = words.includes(type) && !line.trim().startsWith('@') && blob.length > type.length
    return isKey ? [blob] : []
  })
  if (keys.length === 0) throw new UnreadableError(`expected a line with an ${type} key, found none`)
  return keys
}

/** As ssh-keygen -l shows it. */
export const fingerprint = (blob: Uint8Array): string =>
  `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
