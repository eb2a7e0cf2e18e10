/**
 * What can be read of a damaged log: goes on behind damage with the next member that can be decompressed, and in what came
 * out of it with the next thing that looks like a message. What lies in an undamaged member is not lost.
 */
import { headerBytes, magic, magicBytes } from './file-format.ts'
import { createInput } from './input.ts'
import { nextMember, readMember } from './members.ts'
import { gapOf } from './problem.ts'
import type { Decoded } from './record-reader.ts'
import { createMessageFinder } from './recover-messages.ts'

/** `log`: all of it, as places are tried more than once. Gaps are problems that are not final. */
export async function* recoverLog(log: Buffer): AsyncGenerator<readonly Decoded[]> {
  const { version, start } = readHeader(log)
  yield [{ kind: 'header', version }]
  if (start === 0) yield [gap(0, Math.min(headerBytes, log.length))]
  const finder = createMessageFinder(version)
  /** Where what could not be read begins. */
  let from = start === 0 ? Math.min(headerBytes, log.length) : start
  let at: number | undefined = nextMember(log, start)
  while (at !== undefined) {
    const member = await attempt(log, at)
    if (member.content.length === 0 && !member.isWhole) {
      at = nextMember(log, at + 1)
      continue
    }
    if (at > from) yield [...finder.cut(), gap(from, at - from)]
    for (const piece of member.content) yield finder.push(piece, at)
    if (member.isWhole) {
      from = at + member.length
      at = nextMember(log, from)
    } else {
      // Its damage may have hidden members that begin before its end.
      yield finder.cut()
      from = at + 1
      at = nextMember(log, from)
    }
  }
  yield finder.cut()
  if (from < log.length) yield [gap(from, log.length - from)]
}

const gap = (offset: number, length: number): Decoded => ({ kind: 'problem', problem: gapOf(offset, length) })

/** `start`: 0 if the header is damaged; then the version is taken to be that of today. */
function readHeader(log: Buffer): { readonly version: 1 | 2; readonly start: number } {
  const version = log.length < headerBytes ? 0n : log.readBigUInt64LE(magicBytes)
  if (log.toString('latin1', 0, magic.length) !== magic || (version !== 1n && version !== 2n)) {
    return { version: 2, start: 0 }
  }
  return { version: version === 1n ? 1 : 2, start: headerBytes }
}

interface Attempt {
  readonly content: readonly Buffer[]
  /** Nothing was wrong with it. */
  readonly isWhole: boolean
  /** In the file. */
  readonly length: number
}

async function attempt(log: Buffer, at: number): Promise<Attempt> {
  async function* rest() {
    yield log.subarray(at)
  }
  await using input = createInput(rest())
  const content: Buffer[] = []
  let isWhole = true
  for await (const piece of readMember(input, false)) {
    if (piece.kind === 'problem') isWhole = false
    else content.push(piece.content)
  }
  return { content, isWhole, length: input.offset }
}
