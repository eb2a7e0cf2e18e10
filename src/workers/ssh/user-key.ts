/** The keys of users: lines of authorized keys. */
import { type KeyLine, parseKeyLine } from '../../shared/authorized-key.ts'
import { type PublicKey, parsePublicKeyBlob } from './public-key.ts'

export interface AuthorizedKey extends PublicKey {
  readonly options: KeyLine['options']
  readonly comment: string
}

/** Parses `[OPTIONS] TYPE BASE64 [COMMENT]`. Throws an Error that says what is wrong. */
export const parseAuthorizedKey = (line: string): AuthorizedKey => {
  const { options, blob, comment } = parseKeyLine(line)
  return { ...parsePublicKeyBlob(blob), options, comment }
}
