/** An audit log on the disk or from standard input, as records; encrypted or not. */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { decodeLog } from '../../shared/audit/decode.ts'
import { ageIdentities } from '../../shared/audit/envelope-keys.ts'
import { type OpenedLog, openLog } from '../../shared/audit/envelope-reader.ts'
import type { Problem } from '../../shared/audit/problem.ts'
import type { Decoded, Watch } from '../../shared/audit/record-reader.ts'
import { recoverLog } from '../../shared/audit/recover.ts'
import { growingFile } from './growing-file.ts'

/** The file cannot be opened or read. */
export class UnreadableError extends Error {}

export interface Reading {
  /** As age writes them. */
  readonly identities: readonly string[]
  /** Wait for more until the log ends. */
  readonly follow: boolean
  /** Go on behind damage. */
  readonly recover: boolean
  /** What `-` is. */
  readonly input: AsyncIterable<Uint8Array>
  /** Nobody wants more. */
  readonly gone: AbortSignal
}

const chunkBytes = 64 * 1024

/** Chunks reject with UnreadableError. */
export const openedLog = (path: string, reading: Reading): OpenedLog =>
  openLog(readable(chunksOf(path, reading)), reading.identities)

/** @throws UnreadableError */
export async function* readLog(path: string, reading: Reading, watch?: Watch): AsyncGenerator<readonly Decoded[]> {
  if (reading.recover) {
    yield* recovered(path, reading)
    return
  }
  const log = openedLog(path, reading)
  for await (const batch of decodeLog(log.chunks, watch)) {
    // That there is nothing, or half a message, in a log that cannot be opened is no news.
    yield log.problem === undefined ? batch : batch.filter((item) => item.kind !== 'problem')
    if (reading.follow && batch.some((item) => item.kind === 'record' && item.record.type === 'disconnect')) return
  }
  if (log.problem !== undefined) yield [{ kind: 'problem', problem: log.problem }]
}

/** Places of a damaged log are tried more than once. */
const mostRecovered = 2 ** 30

async function* recovered(path: string, reading: Reading): AsyncGenerator<readonly Decoded[]> {
  const problems: Problem[] = []
  const log = openLog(readable(chunksOf(path, reading)), reading.identities, (problem) => problems.push(problem))
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of log.chunks) {
    size += piece.length
    if (size > mostRecovered)
      throw new UnreadableError(`expected at most ${mostRecovered} bytes to recover, found more`)
    pieces.push(piece)
  }
  if (log.problem !== undefined) problems.push(log.problem)
  yield problems.map((problem) => ({ kind: 'problem', problem }) as const)
  if (size > 0) yield* recoverLog(Buffer.concat(pieces))
}

async function* chunksOf(path: string, { follow, input, gone }: Reading): AsyncGenerator<Uint8Array> {
  if (path === '-') {
    yield* input
    return
  }
  if (follow) {
    yield* growingFile(path, gone)
    return
  }
  const file = createReadStream(path, { highWaterMark: chunkBytes })
  try {
    yield* file as AsyncIterable<Buffer>
  } finally {
    file.destroy()
  }
}

async function* readable(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
  } catch (error) {
    throw unreadable(error)
  }
}

const unreadable = (error: unknown): UnreadableError => {
  const { code, message } = error as NodeJS.ErrnoException
  const reason = code === undefined ? undefined : reasons[code]
  return new UnreadableError(`expected a readable file, found: ${reason ?? message}`, { cause: error })
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'a directory',
}

/** @throws UnreadableError */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw unreadable(error)
  }
}

/** @throws UnreadableError, which does not quote the file: it holds secrets */
export async function readIdentities(path: string): Promise<readonly string[]> {
  const content = await readTextFile(path)
  try {
    return ageIdentities(content)
  } catch (error) {
    throw new UnreadableError((error as Error).message, { cause: error })
  }
}
