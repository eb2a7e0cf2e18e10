/** What can be wrong with an audit log. A value: what could be read before it, and often after it, is still worth having. */

export type ProblemKind =
  | 'empty'
  | 'header-cut'
  | 'magic'
  | 'version-zero'
  | 'version-high'
  /** Nothing, or only a part of a member's header, follows the header. */
  | 'no-content'
  | 'not-compressed'
  | 'damaged'
  | 'checksum'
  /** The file ends inside of a member or a record. */
  | 'truncated'
  /** There is no identity that can open it. */
  | 'encrypted'
  /** A record of the envelope was changed, removed or moved. */
  | 'envelope'
  /** Bytes that were left out because nothing could be made of them. */
  | 'gap'
  | 'not-cbor'
  | 'too-large'
  | 'not-an-array'
  | 'not-a-map'
  | 'unknown-type'
  | 'bad-field'

export interface Problem {
  readonly kind: ProblemKind
  /** Byte of the file; of a problem with what was compressed, the byte at which the compressed member begins. */
  readonly offset: number
  /** Byte of the decompressed content, where the problem is with that. */
  readonly content?: number
  readonly expected: string
  readonly found: string
  /** Nothing after it can be read. */
  readonly final: boolean
}

/** `content`: where it is in the content that is compressed from `offset`. */
export const gapOf = (offset: number, length: number, content?: number): Problem => ({
  ...{ kind: 'gap', offset, expected: 'a message', found: `${length} bytes that are none`, final: false },
  ...(content === undefined ? {} : { content }),
})

/** One line, without the name of the file. */
export const problemText = ({ kind, offset, content, expected, found, final }: Problem): string => {
  const place = content === undefined ? `byte ${offset}` : `byte ${content} of what is compressed from byte ${offset}`
  const end = kind === 'truncated' ? 'the log is cut off: ' : ''
  return `${place}: ${end}expected ${expected}, found ${found}${final ? '' : '; skipped it'}`
}
