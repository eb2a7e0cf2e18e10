/** The compressed part of an audit log: gzip members (RFC 1952) and zstd frames (RFC 8878) in any order, told by their magic. */
import { crc32 } from 'node:zlib'
import { hex } from './cbor-scan.ts'
import { decompress } from './engine.ts'
import { headerBytes } from './file-format.ts'
import type { Input } from './input.ts'
import type { Problem } from './problem.ts'

export type Piece =
  /** `member`: byte of the file at which it begins. */
  | { readonly kind: 'content'; readonly content: Buffer; readonly member: number }
  | { readonly kind: 'problem'; readonly problem: Problem }

const gzipMagic = Buffer.of(0x1f, 0x8b, 0x08)
const zstdMagic = Buffer.of(0x28, 0xb5, 0x2f, 0xfd)
const gzipHeaderBytes = 10
const trailerBytes = 8
/** Longest text or extra field in the header of a gzip member. */
const longestField = 0xffff
const flag = { headerCrc: 2, extra: 4, name: 8, comment: 16 } as const
const syncFlush = Buffer.of(0, 0, 0xff, 0xff)

export async function* readMembers(input: Input): AsyncGenerator<Piece> {
  let isFirst = true
  for (; !(await input.atEnd()); isFirst = false) {
    if (!(yield* readMember(input, isFirst))) return
  }
  if (isFirst) yield problem('no-content', headerBytes, 'a gzip member or a zstd frame', 'the end of the file')
}

/** The one at which the input stands. Returns whether reading can go on behind it. */
export async function* readMember(input: Input, isFirst: boolean): AsyncGenerator<Piece, boolean> {
  await input.fill(gzipHeaderBytes)
  if (startsLike(input.ahead, zstdMagic)) return yield* readFrame(input)
  if (startsLike(input.ahead, gzipMagic)) return yield* readGzip(input, isFirst)
  yield problem('not-compressed', input.offset, 'the beginning of a gzip member or a zstd frame', shown(input.ahead))
  return false
}

/** The first byte from `from` at which a member may begin; undefined: there is none. */
export function nextMember(bytes: Buffer, from: number): number | undefined {
  const places = [gzipMagic, zstdMagic].map((magic) => bytes.indexOf(magic, from)).filter((at) => at >= 0)
  return places.length === 0 ? undefined : Math.min(...places)
}

const startsLike = (bytes: Buffer, wanted: Buffer): boolean => {
  const length = Math.min(bytes.length, wanted.length)
  return length > 0 && bytes.subarray(0, length).equals(wanted.subarray(0, length))
}
const shown = (bytes: Buffer): string => `the bytes ${[...bytes.subarray(0, 4)].map(hex).join(' ')}`
const problem = (kind: Problem['kind'], offset: number, expected: string, found: string): Piece => ({
  kind: 'problem',
  problem: { kind, offset, expected, found, final: true },
})

/** Returns whether reading can go on behind the frame. Its checksum, if it has one, is compared by the decompressor. */
async function* readFrame(input: Input): AsyncGenerator<Piece, boolean> {
  const member = input.offset
  const stream = decompress('zstd', input)
  for (;;) {
    const next = await stream.next()
    if (next.done !== true) yield { kind: 'content', content: next.value, member }
    else if (next.value === 'whole') return true
    else {
      yield streamProblem(next.value, 'zstd frame', member, input.offset)
      return false
    }
  }
}

const streamProblem = (end: 'cut' | 'damaged', what: string, member: number, offset: number): Piece =>
  end === 'cut'
    ? problem('truncated', offset, `the rest of the ${what} that begins at byte ${member}`, 'the end of the file')
    : problem('damaged', offset, `a ${what}, as began at byte ${member}`, 'bytes that cannot be decompressed')

async function* readGzip(input: Input, isFirst: boolean): AsyncGenerator<Piece, boolean> {
  const member = input.offset
  if (!(await skipGzipHeader(input))) {
    const expected = `the rest of the header of the gzip member that begins at byte ${member}`
    const isCut = await input.atEnd()
    const found = isCut ? 'the end of the file' : `a field of more than ${longestField} bytes`
    yield problem(isCut ? (isFirst ? 'no-content' : 'truncated') : 'damaged', input.offset, expected, found)
    return false
  }
  const stream = decompress('deflate', input)
  let [checksum, length] = [0, 0]
  for (;;) {
    const next = await stream.next()
    if (next.done !== true) {
      checksum = crc32(next.value, checksum)
      length = (length + next.value.length) >>> 0
      yield { kind: 'content', content: next.value, member }
    } else if (next.value === 'whole') return yield* readTrailer(input, member, checksum, length)
    // The Go program never ends its member, and ours end with one that is empty.
    else if (next.value === 'cut' && input.behind.equals(syncFlush)) return false
    else {
      yield streamProblem(next.value, 'gzip member', member, input.offset)
      return false
    }
  }
}

/** False: it does not end, or is too long. */
async function skipGzipHeader(input: Input): Promise<boolean> {
  await input.fill(gzipHeaderBytes)
  if (input.ahead.length < gzipHeaderBytes) {
    input.skip(input.ahead.length)
    return false
  }
  const flags = input.ahead[3] ?? 0
  input.skip(gzipHeaderBytes)
  if ((flags & flag.extra) !== 0) {
    await input.fill(2)
    if (input.ahead.length < 2) return skipAll(input)
    const length = input.ahead.readUInt16LE()
    input.skip(2)
    if (!(await skipBytes(input, length))) return false
  }
  for (const text of [flag.name, flag.comment]) {
    if ((flags & text) !== 0 && !(await skipText(input))) return false
  }
  return (flags & flag.headerCrc) === 0 || skipBytes(input, 2)
}

const skipAll = (input: Input): false => {
  input.skip(input.ahead.length)
  return false
}
async function skipBytes(input: Input, count: number): Promise<boolean> {
  await input.fill(count)
  if (input.ahead.length < count) return skipAll(input)
  input.skip(count)
  return true
}
async function skipText(input: Input): Promise<boolean> {
  for (let wanted = 1; wanted <= longestField; wanted = input.ahead.length + 1) {
    await input.fill(wanted)
    const end = input.ahead.subarray(0, longestField).indexOf(0)
    if (end >= 0) {
      input.skip(end + 1)
      return true
    }
    if (input.ahead.length < wanted) return skipAll(input)
  }
  return false
}

async function* readTrailer(input: Input, member: number, crc: number, length: number): AsyncGenerator<Piece, boolean> {
  await input.fill(trailerBytes)
  if (input.ahead.length < trailerBytes) {
    input.skip(input.ahead.length)
    yield streamProblem('cut', 'gzip member', member, input.offset)
    return false
  }
  const stored = [input.ahead.readUInt32LE(), input.ahead.readUInt32LE(4)] as const
  const at = input.offset
  input.skip(trailerBytes)
  if (stored[0] === crc && stored[1] === length) return true
  const expected = `checksum ${crc.toString(16)} and length ${length} of the gzip member that begins at byte ${member}`
  yield problem('checksum', at, expected, `${stored[0].toString(16)} and ${stored[1]}`)
  return false
}
