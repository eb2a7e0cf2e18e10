/**
 * The file beside a log in the queue directory that tells a later run whose log it is, and where its upload stands. The
 * first five keys are those that ContainerSSH has always written; it ignores the others.
 */
import { constants, type FileHandle, open, readFile, rename, rm } from 'node:fs/promises'
import { fault } from '../../../shared/codes/fault.ts'
import type { LogFacts } from '../target.ts'

export interface Memory {
  readonly facts: LogFacts
  /** Of the configuration; undefined in files of the Go program. */
  readonly format: string | undefined
  /** Of a multipart upload that has begun. */
  readonly upload: { readonly id: string; readonly partBytes: number } | undefined
}

export const unknownFacts: LogFacts = {
  startTime: 0,
  remoteAddr: '',
  authenticated: false,
  username: '',
  country: '',
}

export const suffix = '.metadata.json'
/** Has a dot, so that nobody takes it for a log. */
export const temporarySuffix = `${suffix}.tmp`
const longestFile = 65_536
/** Never through a link. */
const replaced = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW

export interface Files {
  open: typeof open
}
export const realFiles: Files = { open }

/**
 * Replaces the file as a whole, or leaves it as it was.
 * @throws Fault
 */
export async function writeMemory(path: string, log: string, memory: Memory, files: Files = realFiles): Promise<void> {
  const text = encode(log, memory)
  const [file, temporary] = [path + suffix, path + temporarySuffix]
  let code: MetadataCode = 'AUDIT_S3_FAILED_CREATING_METADATA_FILE'
  let handle: FileHandle | undefined
  try {
    handle = await files.open(temporary, replaced, 0o600)
    code = 'AUDIT_S3_FAILED_WRITING_METADATA_FILE'
    await handle.writeFile(text)
    await handle.sync()
    code = 'AUDIT_S3_CANNOT_CLOSE_METADATA_FILE_HANDLE'
    const written = handle
    handle = undefined
    await written.close()
    code = 'AUDIT_S3_FAILED_CREATING_METADATA_FILE'
    await rename(temporary, file)
  } catch (error) {
    await handle?.close().catch(() => undefined)
    await rm(temporary, { force: true }).catch(() => undefined)
    throw fault(code, { log, file }, { cause: error })
  }
}
type MetadataCode =
  | 'AUDIT_S3_FAILED_CREATING_METADATA_FILE'
  | 'AUDIT_S3_FAILED_WRITING_METADATA_FILE'
  | 'AUDIT_S3_CANNOT_CLOSE_METADATA_FILE_HANDLE'

function encode(log: string, { facts, format, upload }: Memory): string {
  const { startTime, remoteAddr, authenticated, username, country } = facts
  const known = { startTime, remoteAddr, authenticated, username, country, format }
  try {
    return JSON.stringify(upload === undefined ? known : { ...known, uploadId: upload.id, partSize: upload.partBytes })
  } catch (error) {
    throw fault('AUDIT_S3_FAILED_METADATA_JSON_ENCODING', { log }, { cause: error })
  }
}

/** @throws Fault */
export async function readMemory(path: string, log: string): Promise<Memory> {
  const file = path + suffix
  try {
    const bytes = await readFile(file)
    if (bytes.length > longestFile) throw new Error(`has ${bytes.length} bytes; expected at most ${longestFile}`)
    return parse(JSON.parse(bytes.toString('utf8')))
  } catch (error) {
    throw fault('AUDIT_S3_FAILED_READING_METADATA_FILE', { log, file }, { cause: error })
  }
}

function parse(value: unknown): Memory {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('expected a JSON object')
  const { startTime, remoteAddr, authenticated, username, country, format, uploadId, partSize } = value as Record<
    string,
    unknown
  >
  const facts: LogFacts = {
    startTime: integer('startTime', startTime),
    remoteAddr: text('remoteAddr', remoteAddr),
    authenticated: authenticated === true,
    username: text('username', username),
    country: text('country', country),
  }
  const isUpload =
    typeof uploadId === 'string' && uploadId !== '' && Number.isSafeInteger(partSize) && Number(partSize) > 0
  return {
    facts,
    format: typeof format === 'string' ? format : undefined,
    upload: isUpload ? { id: uploadId, partBytes: Number(partSize) } : undefined,
  }
}

/** Go leaves nothing out, so what is missing was never written; a damaged value is. */
function text(name: string, value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string') throw new Error(`${name}: expected a text`)
  return value
}
function integer(name: string, value: unknown): number {
  if (value === undefined || value === null) return 0
  if (!Number.isSafeInteger(value)) throw new Error(`${name}: expected a whole number`)
  return value as number
}
