/** What the Go program's decoder says about a problem; programs may look for it. */
import { headerBytes } from '../../shared/audit/file-format.ts'
import { type Problem, problemText } from '../../shared/audit/problem.ts'
import type { Decoded } from '../../shared/audit/record-reader.ts'

const decoding = (cause: string): string => `failed to decode messages (${cause})`
const opening = (cause: string): string => `failed to open gzip stream (${cause})`

/** Undefined: it says nothing. A log of version 1 cannot be cut off without its noticing. */
export function referenceWords(
  { problem, field = '' }: Extract<Decoded, { readonly kind: 'problem' }>,
  version: 1 | 2,
): string | undefined {
  const isFirst = problem.offset === headerBytes
  switch (problem.kind) {
    case 'empty':
      return 'EOF'
    case 'header-cut':
      return 'unexpected EOF'
    case 'magic':
      return `invalid file format header: ${problem.found}`
    case 'version-high':
      return `file format version is higher than supported: ${problem.found}`
    case 'no-content':
      return opening(isFirst ? 'EOF' : 'unexpected EOF')
    case 'not-compressed':
      return isFirst ? opening('gzip: invalid header') : decoding('gzip: invalid header')
    case 'checksum':
      return decoding('gzip: invalid checksum')
    case 'truncated':
      return version === 1 ? decoding('unexpected EOF') : undefined
    case 'not-an-array':
      return decoding(`cbor: cannot unmarshal ${bare(problem.found)} into Go value of type []binary.decodedMessage`)
    case 'not-a-map':
      return decoding(`cbor: cannot unmarshal ${bare(problem.found)} into Go value of type binary.decodedMessage`)
    case 'unknown-type':
      return `invalid message type: ${problem.found}`
    case 'bad-field':
      return `1 error(s) decoding:\n\n* '${capital(field)}': ${wrongType(problem)}`
    case 'version-zero':
    case 'damaged':
    case 'not-cbor':
    case 'too-large':
    case 'encrypted':
    case 'envelope':
    case 'gap':
      return problemText(problem)
    default:
      throw new Error(problem.kind satisfies never)
  }
}

export const invalidText = decoding('cbor: invalid UTF-8 string')

const bare = (found: string): string => found.replace(/^an? /, '')
const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1)
const goTypes: Readonly<Record<string, string>> = { text: 'string', 'unsigned integer': 'uint64', boolean: 'bool' }

function wrongType({ expected, found }: Problem): string {
  const got = goTypes[bare(found)] ?? bare(found)
  return expected.startsWith('a byte string')
    ? `source data must be an array or slice, got ${got}`
    : `expected ${expected}, got ${got}`
}
