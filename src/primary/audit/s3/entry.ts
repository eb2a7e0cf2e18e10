/** One log in the queue, and what comes next for it. */
import type { Part } from '../../../shared/s3-call.ts'
import type { LogFacts } from '../target.ts'
import { mostParts, mostSingleBytes, partOf, roomOf, type Span } from './layout.ts'

export interface Entry {
  readonly log: string
  /** Of the configuration under which it was recorded. */
  readonly format: string
  facts: LogFacts
  /** Bytes that are in the file for good. */
  size: number
  isFinished: boolean
  /** False: an earlier run may have begun uploads of it. */
  isSearched: boolean
  /** The one that the file beside the log knows of. */
  readonly remembered: Begun | undefined
  upload: Upload | undefined
  /** Multipart uploads of it were refused twice: it goes as one piece, if S3 takes one so large. */
  isSingle: boolean
  /** The service has said that it has everything. */
  isStored: boolean
  /** What it called the object then. */
  etag: string
  isVerified: boolean
  /** The file was read, but something is wrong with it: it is not removed. */
  isKept: boolean
  /** In a row. */
  failures: number
  /** Uploads that were begun anew because of a refused part. */
  restarts: number
  /** Something works on it. */
  isBusy: boolean
  /** The file beside the log; the last write, and whether another one has to follow. */
  saving: Promise<boolean> | undefined
  isChanged: boolean
}

/** A multipart upload. */
export interface Begun {
  readonly id: string
  /** Of the first part. */
  readonly partBytes: number
}
export interface Upload extends Begun {
  /** By number. */
  readonly parts: Map<number, Part>
  /** The file beside the log knows of it, so that a later run can go on. */
  isRemembered: boolean
  /** Numbers that are on their way. */
  readonly running: Set<number>
  /** All parts before this number are stored. */
  firstMissing: number
}

export type Step = 'wait' | 'search' | 'single' | 'create' | 'parts' | 'complete' | 'verify' | 'remove' | 'restart'

export function createEntry(log: string, format: string, facts: LogFacts, remembered?: Begun): Entry {
  return {
    log,
    format,
    facts,
    size: 0,
    isFinished: false,
    isSearched: true,
    remembered,
    upload: undefined,
    isSingle: false,
    isStored: false,
    etag: '',
    isVerified: false,
    isKept: false,
    failures: 0,
    restarts: 0,
    isBusy: false,
    saving: undefined,
    isChanged: false,
  }
}

export const createUpload = ({ id, partBytes }: Begun): Upload => ({
  id,
  partBytes,
  parts: new Map(),
  isRemembered: false,
  running: new Set(),
  firstMissing: 1,
})

/** `partBytes`: of the configuration. `verifies`: whether stored objects are looked at before their file is removed. */
export function nextStep(entry: Entry, partBytes: number, verifies: boolean): Step {
  const { size, isFinished, upload } = entry
  if (entry.isStored) return verifies && !entry.isVerified ? 'verify' : 'remove'
  if (!entry.isSearched) return 'search'
  if (isFinished && size === 0) return 'remove'
  if (entry.isSingle && size <= mostSingleBytes) return isFinished ? 'single' : 'wait'
  if (upload === undefined) {
    if (isFinished && size <= Math.min(partBytes, mostSingleBytes)) return 'single'
    return size >= partBytes ? 'create' : 'wait'
  }
  if (isFinished && upload.parts.size === 0 && size <= partBytes) return 'single'
  if (size > roomOf(upload.partBytes)) return 'restart'
  if (missingPart(entry, upload) !== undefined) return 'parts'
  if (!isFinished) return 'wait'
  return upload.parts.size > 0 ? 'complete' : 'restart'
}

/** The first part that is neither stored nor on its way. */
export function missingPart(entry: Entry, upload: Upload): (Span & { readonly partNumber: number }) | undefined {
  while (upload.parts.has(upload.firstMissing)) upload.firstMissing++
  for (let partNumber = upload.firstMissing; partNumber <= mostParts; partNumber++) {
    const span = partOf(partNumber, upload.partBytes, entry.size, entry.isFinished)
    if (span === undefined) return undefined
    if (!upload.parts.has(partNumber) && !upload.running.has(partNumber)) return { ...span, partNumber }
  }
  return undefined
}
