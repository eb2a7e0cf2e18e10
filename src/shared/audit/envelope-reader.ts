/** Opens the envelope of an encrypted log; other logs are passed on as they are. */
import {
  contentKeyBytes,
  type EnvelopeState,
  envelopeHeadBytes,
  envelopeMagic,
  envelopeVersion,
  lengthBytes,
  mostSealedBytes,
  tagBytes,
  unseal,
} from './envelope.ts'
import { createInput, type Input } from './input.ts'
import type { Problem } from './problem.ts'

export interface OpenedLog {
  /** The log itself, up to what is wrong with its envelope. Rejects only as the chunks do that it is made of. */
  readonly chunks: AsyncIterable<Uint8Array>
  /** Once `chunks` has ended. */
  readonly problem: Problem | undefined
  /** Undefined: the log is not encrypted; false: it did not end with its last record. Known once `chunks` has ended. */
  readonly isWhole: boolean | undefined
}

/** An age file for a thousand recipients is smaller. */
const mostAgeBytes = 1024 * 1024

/**
 * `identities` as age writes them, see `ageIdentities`. With `skipped`, records that cannot be opened are left out and
 * told to it; else nothing behind the first is read.
 */
export function openLog(
  chunks: AsyncIterable<Uint8Array>,
  identities: readonly string[],
  skipped?: (problem: Problem) => void,
): OpenedLog {
  let problem: Problem | undefined
  let isWhole: boolean | undefined
  async function* content(): AsyncGenerator<Uint8Array> {
    await using input = createInput(chunks)
    await input.fill(envelopeMagic.length)
    if (!input.ahead.subarray(0, envelopeMagic.length).equals(envelopeMagic)) {
      yield* restOf(input)
      return
    }
    isWhole = false
    const key = await readHead(input, identities)
    const end = 'kind' in key ? key : yield* readRecords(input, key, skipped)
    if (end === 'last') isWhole = true
    else if (end !== 'cut') problem = end
  }
  return {
    chunks: content(),
    get problem() {
      return problem
    },
    get isWhole() {
      return isWhole
    },
  }
}

async function* restOf(input: Input): AsyncGenerator<Uint8Array> {
  while (!(await input.atEnd())) {
    const piece = input.ahead
    input.skip(piece.length)
    yield piece
  }
}

const wrong = (kind: Problem['kind'], offset: number, expected: string, found: string): Problem => ({
  kind,
  offset,
  expected,
  found,
  final: true,
})

async function readHead(input: Input, identities: readonly string[]): Promise<EnvelopeState | Problem> {
  await input.fill(envelopeHeadBytes)
  if (input.ahead.length < envelopeHeadBytes) return cutAt(input, `a header of ${envelopeHeadBytes} bytes`)
  const version = input.ahead.readBigUInt64LE(envelopeMagic.length)
  if (version !== envelopeVersion) {
    return wrong('version-high', envelopeMagic.length, `version ${envelopeVersion} of the envelope`, String(version))
  }
  const length = input.ahead.readUInt32LE(envelopeHeadBytes - lengthBytes)
  if (length > mostAgeBytes) {
    return wrong('envelope', envelopeHeadBytes - lengthBytes, `at most ${mostAgeBytes} bytes of age`, String(length))
  }
  input.skip(envelopeHeadBytes)
  await input.fill(length)
  if (input.ahead.length < length) return cutAt(input, `an age file of ${length} bytes`)
  if (identities.length === 0) {
    return wrong('encrypted', 0, 'an identity, as the log is encrypted', 'none; see --identity')
  }
  const file = Uint8Array.from(input.ahead.subarray(0, length))
  const at = input.offset
  input.skip(length)
  const key = await contentKeyOf(file, identities)
  return typeof key === 'string' ? wrong('encrypted', at, 'a log for this identity', key) : { key, count: 0 }
}

const cutAt = (input: Input, expected: string): Problem =>
  wrong('truncated', input.offset + input.ahead.length, expected, 'the end of the file')

/** A text: why there is none. */
async function contentKeyOf(file: Uint8Array, identities: readonly string[]): Promise<Uint8Array | string> {
  const { Decrypter } = await import('age-encryption')
  const decrypter = new Decrypter()
  for (const identity of identities) decrypter.addIdentity(identity)
  try {
    const key = await decrypter.decrypt(file)
    return key.length === contentKeyBytes ? key : `a key of ${key.length} bytes`
  } catch (error) {
    return (error as Error).message
  }
}

async function* readRecords(
  input: Input,
  first: EnvelopeState,
  skipped: ((problem: Problem) => void) | undefined,
): AsyncGenerator<Uint8Array, 'last' | 'cut' | Problem> {
  for (let { key, count } = first; !(await input.atEnd()); count++) {
    const at = input.offset
    await input.fill(lengthBytes)
    if (input.ahead.length < lengthBytes) return cutAt(input, `the length of record ${count}`)
    const length = input.ahead.readUInt32LE()
    if (length < tagBytes || length > mostSealedBytes) {
      const expected = `${tagBytes} to ${mostSealedBytes} bytes in record ${count} of the envelope`
      return wrong('envelope', at, expected, String(length))
    }
    await input.fill(lengthBytes + length)
    if (input.ahead.length < lengthBytes + length) return cutAt(input, `record ${count} of ${length} bytes`)
    const opened = unseal({ key, count }, input.ahead.subarray(lengthBytes, lengthBytes + length))
    input.skip(lengthBytes + length)
    if (opened === undefined) {
      const problem = wrong(
        'envelope',
        at,
        `record ${count} of the envelope, as it was sealed`,
        'another or changed one',
      )
      if (skipped === undefined) return problem
      skipped({ ...problem, final: false })
      continue
    }
    if (opened.content.length > 0) yield opened.content
    if (opened.isLast) {
      if (await input.atEnd()) return 'last'
      return wrong('envelope', input.offset, 'the end of the file behind the last record', 'more bytes')
    }
  }
  return 'cut'
}
