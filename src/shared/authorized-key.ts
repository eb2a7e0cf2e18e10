/** Lines of OpenSSH's authorized_keys files: sshd(8), AUTHORIZED_KEYS FILE FORMAT. */
import { type KeyOptions, noOptions, parseKeyOptions } from './key-options.ts'

export interface KeyLine {
  readonly options: KeyOptions
  readonly type: string
  /** Public key blob, RFC 4253 section 6.6; its first string is `type`, the rest is not looked at here. */
  readonly blob: Buffer
  readonly comment: string
}

const keyTypes = [
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
]
const certificateSuffix = '-cert-v01@openssh.com'

/** True for a line with a key, false for what is probably the name of a file. */
export const looksLikeKey = (entry: string): boolean => /(^|\s)(ssh-|ecdsa-|sk-)[\w@.-]+\s+AAAA/.test(entry)

/** The lines that hold something: no empty ones, no comments. */
export const filledLines = (content: string): string[] =>
  content.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.trim().startsWith('#'))

/**
 * Reads `[OPTIONS] TYPE BASE64 [COMMENT]`.
 * @throws Error with what is wrong; its text reads after "the line".
 */
export const parseKeyLine = (line: string): KeyLine => {
  const text = line.trim()
  const words = text.split(/[ \t]+/)
  if (!keyTypes.some((type) => words.includes(type))) throw new Error(noKey(words))
  const isBare = keyTypes.includes(words[0] ?? '')
  const { options, end } = isBare ? { options: noOptions, end: 0 } : parseKeyOptions(text)
  const [, type = '', base64 = '', comment = ''] =
    /^\s*(\S+)(?:[ \t]+(\S+))?(?:[ \t]+(.*))?$/.exec(text.slice(end)) ?? []
  if (!keyTypes.includes(type)) throw new Error(noKey([type]))
  const blob = blobOf(type, base64)
  checkTogether(options, type)
  return { options, type, blob, comment }
}

/** One certificate of ssh-keygen, `TYPE BASE64 [COMMENT]`; throws as `parseKeyLine`. */
export const parseCertificateLine = (line: string): { readonly type: string; readonly blob: Buffer } => {
  const [type = '', base64 = ''] = line.trim().split(/[ \t]+/)
  if (!type.endsWith(certificateSuffix)) {
    throw new Error(`is not a certificate; expected e.g. "ssh-ed25519${certificateSuffix} AAAA… comment"`)
  }
  return { type, blob: blobOf(type, base64) }
}

function noKey(words: readonly string[]): string {
  return words.some((word) => word.endsWith(certificateSuffix))
    ? 'is a certificate; expected the key of its CA'
    : `is not a public key; expected e.g. "ssh-ed25519 AAAA… comment" (types: ${keyTypes.join(', ')})`
}

function blobOf(type: string, base64: string): Buffer {
  const blob = Buffer.from(base64, 'base64')
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0
  const isBase64 = blob.toString('base64').replace(/=+$/, '') === base64.replace(/={0,2}$/, '')
  if (!isBase64 || blob.length <= 4 + length || blob.toString('latin1', 4, 4 + length) !== type) {
    throw new Error(`is not a whole ${type} key`)
  }
  return blob
}

/** Restrictions that would have no effect are mistakes, and mistakes here let people in. */
function checkTogether(options: KeyOptions, type: string): void {
  if (options.certAuthority) return
  if (options.principals !== undefined) throw new Error('has the option principals without cert-authority')
  if (options.verifyRequired && !type.startsWith('sk-')) {
    throw new Error('has the option verify-required, which only security keys (sk-…) can honour')
  }
}
