/** Lines of OpenSSH's authorized_keys files (sshd(8), AUTHORIZED_KEYS FILE FORMAT), without options. */

const keyTypes = [
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
]

/** True for a line of keys, false for what is probably the name of a file. */
export const looksLikeKey = (entry: string): boolean => /^\s*(?:\S+\s+)?(?:ssh-|ecdsa-|sk-)[\w@.-]+\s+AAAA/.test(entry)

/** What is wrong with the line; undefined if nothing is. */
export const keyProblem = (line: string): string | undefined => {
  const [type = '', base64 = ''] = line.trim().split(/\s+/)
  if (!keyTypes.includes(type)) {
    // An option such as command= or from= restricts the key: to read the line without it would open what it closes.
    const beginsWithOptions = keyTypes.some((known) => line.includes(` ${known} `))
    return beginsWithOptions
      ? 'has options before the key, which are not supported'
      : `is not a public key; expected e.g. "ssh-ed25519 AAAA… comment" (types: ${keyTypes.join(', ')})`
  }
  const blob = Buffer.from(base64, 'base64')
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0
  const isWhole = /^[A-Za-z0-9+/]+={0,2}$/.test(base64) && blob.length > 4 + length
  // RFC 4253 section 6.6: the blob begins with the type as a string.
  if (!isWhole || blob.toString('latin1', 4, 4 + length) !== type) return `is not a whole ${type} key`
  return undefined
}

/** The lines that hold keys: no empty ones, no comments. */
export const keyLines = (content: string): string[] =>
  content.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.trim().startsWith('#'))
