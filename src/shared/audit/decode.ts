/** A whole audit log, as bytes, to records. */
import { headerBytes, magic, magicBytes, newestVersion } from './file-format.ts'
import { createInput, type Input } from './input.ts'
import { readMembers } from './members.ts'
import type { Problem } from './problem.ts'
import { createRecordReader, type Decoded, type Watch } from './record-reader.ts'

/** Content that is turned into records at once: each byte of it may be a record. */
const stepBytes = 32 * 1024

const zeroes = Buffer.alloc(magicBytes - magic.length)
const expectedMagic = Buffer.concat([Buffer.from(magic, 'latin1'), zeroes])

/**
 * Yields the records in the order of the file, some at a time, and what is wrong with it in the places where it is. Takes
 * any split of the file; holds one record, and what the decompressor needs, at most. A log that is still written, or whose
 * writer died, has no problem as long as it ends between two records.
 *
 * Rejects only as `chunks` does.
 */
export async function* decodeLog(chunks: AsyncIterable<Uint8Array>, watch?: Watch): AsyncGenerator<readonly Decoded[]> {
  await using input = createInput(chunks)
  const header = await readHeader(input)
  if (!('version' in header)) {
    yield [{ kind: 'problem', problem: header }]
    return
  }
  yield [{ kind: 'header', version: header.version }]
  const reader = createRecordReader(header.version, watch)
  let isWhole = true
  for await (const piece of readMembers(input)) {
    if (piece.kind === 'problem') {
      isWhole = false
      yield [piece]
      continue
    }
    for (let at = 0; at < piece.content.length; at += stepBytes) {
      yield reader.push(piece.content.subarray(at, at + stepBytes), piece.member)
      if (reader.hasFailed) return
    }
  }
  // One break of the file is one problem.
  if (isWhole) yield reader.end(input.offset)
}

async function readHeader(input: Input): Promise<{ readonly version: 1 | 2 } | Problem> {
  await input.fill(headerBytes)
  const bytes = input.ahead.subarray(0, headerBytes)
  const wrong = (kind: Problem['kind'], offset: number, expected: string, found: string): Problem => ({
    kind,
    offset,
    expected,
    found,
    final: true,
  })
  if (bytes.length === 0) return wrong('empty', 0, 'an audit log', 'an empty file')
  const shorter = Math.min(bytes.length, magicBytes)
  if (!bytes.subarray(0, shorter).equals(expectedMagic.subarray(0, shorter))) {
    return wrong('magic', 0, `the text ${JSON.stringify(magic)} and zeroes`, shownBytes(bytes))
  }
  if (bytes.length < headerBytes) {
    return wrong('header-cut', bytes.length, `a header of ${headerBytes} bytes`, 'the end of the file')
  }
  input.skip(headerBytes)
  const version = bytes.readBigUInt64LE(magicBytes)
  if (version === 1n || version === 2n) return { version: version === 1n ? 1 : 2 }
  const expected = `version 1 to ${newestVersion} of the format`
  return wrong(version === 0n ? 'version-zero' : 'version-high', magicBytes, expected, String(version))
}

/** In decimal, as the Go program's decoder has them. */
const shownBytes = (bytes: Buffer): string => `[${[...bytes.subarray(0, magicBytes)].join(' ')}]`
