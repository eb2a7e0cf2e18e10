/** What a log's object has besides its bytes. */
import type { Config } from '../../../shared/config/index.ts'
import type { ObjectTraits } from '../../../shared/s3-call.ts'
import type { LogFacts } from '../target.ts'

type Settings = Config['audit']['s3']

/** S3 takes 2 KiB of metadata in all. */
const longestValue = 1024

export const contentTypeOf = (format: string): string =>
  format === 'asciinema' ? 'application/x-asciicast' : 'application/octet-stream'

export function traitsOf(settings: Settings, format: string, facts: LogFacts): ObjectTraits {
  const { acl, storageClass, serverSideEncryption, kmsKeyId } = settings
  return {
    contentType: contentTypeOf(format),
    acl,
    storageClass,
    serverSideEncryption,
    kmsKeyId,
    metadata: {
      timestamp: String(facts.startTime),
      authenticated: String(facts.authenticated),
      country: headerValue(facts.country),
      ...(settings.metadata.ip && facts.remoteAddr !== '' && { ip: headerValue(facts.remoteAddr) }),
      ...(settings.metadata.username && facts.authenticated && { username: headerValue(facts.username) }),
    },
  }
}

/**
 * Percent-encoded UTF-8 where it is not printable ASCII, and `%` itself, so that decoding is certain. Spaces stay inside of
 * the value; at its ends and in pairs HTTP would lose them.
 */
export function headerValue(text: string): string {
  let value = ''
  for (const character of text.toWellFormed()) {
    const isPlain = /[!-~]/.test(character) && character !== '%'
    const isInnerSpace = character === ' ' && value !== '' && !value.endsWith(' ')
    const next = isPlain || isInnerSpace ? character : encoded(character)
    if (value.length + next.length > longestValue) break
    value += next
  }
  return value.endsWith(' ') ? `${value.slice(0, -1)}%20` : value
}

const encoded = (character: string): string =>
  [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
