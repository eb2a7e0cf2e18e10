/** The steps of an upload: each one call, what it changes, and its lines in the log. */
import { lstat } from 'node:fs/promises'
import type { S3Failure } from '../../../shared/s3-call.ts'
import { createUpload, type Entry, type Upload } from './entry.ts'
import { firstPartBytes } from './layout.ts'
import { traitsOf } from './object.ts'
import { type Remedy, remedyOf } from './retry.ts'
import { tellFailure } from './tell.ts'
import type { Heard, Work } from './work.ts'

/** Undefined: it went well. */
export type Outcome = Trouble | 'stopped' | undefined
export interface Trouble {
  readonly failure: S3Failure
  readonly remedy: Remedy
}

export const trouble = (failure: S3Failure, isMultipart: boolean): Trouble => ({
  failure,
  remedy: remedyOf(failure, isMultipart),
})

/** The file is there, and has at least the bytes that are about to be sent. */
export async function lookAtFile(work: Work, entry: Entry): Promise<Trouble | undefined> {
  try {
    const { size } = await lstat(work.pathOf(entry.log))
    if (size < entry.size) throw new Error(`has ${size} bytes; expected ${entry.size}`)
    return undefined
  } catch (error) {
    work.log.emit('AUDIT_S3_FAILED_STAT_QUEUE_ENTRY', { log: entry.log }, { cause: error })
    const { code = 'SIZE', message } = error as NodeJS.ErrnoException
    return trouble({ from: 'local', status: undefined, name: code, message }, false)
  }
}

export async function single(work: Work, entry: Entry): Promise<Outcome> {
  const missing = await lookAtFile(work, entry)
  if (missing !== undefined) return missing
  const labels = { log: entry.log, bucket: work.settings.bucket, attempt: entry.failures + 1 }
  work.log.emit('AUDIT_S3_SINGLE_UPLOAD', labels)
  const heard = await work.call(entry, {
    op: 'put',
    key: work.keyOf(entry.log),
    file: work.pathOf(entry.log),
    start: 0,
    bytes: entry.size,
    traits: traitsOf(work.settings, entry.format, entry.facts),
  })
  if (heard === undefined) return 'stopped'
  if (heard.ok) {
    work.log.emit('AUDIT_S3_SINGLE_UPLOAD_COMPLETE', labels)
    entry.isStored = true
    entry.etag = heard.result.etag
    return undefined
  }
  const found = trouble(heard.failure, false)
  tellFailure(work, 'AUDIT_S3_SINGLE_UPLOAD_FAILED', labels, found.failure, found.remedy)
  return found
}

export async function create(work: Work, entry: Entry): Promise<Outcome> {
  const labels = { log: entry.log, bucket: work.settings.bucket, attempt: entry.failures + 1 }
  const partBytes = firstPartBytes(work.settings.uploadPartSize, entry.size)
  work.log.emit('AUDIT_S3_MULTIPART_UPLOAD', labels)
  const traits = traitsOf(work.settings, entry.format, entry.facts)
  const heard = await work.call(entry, { op: 'create', key: work.keyOf(entry.log), traits })
  if (heard === undefined) return 'stopped'
  if (!heard.ok) {
    const found = trouble(heard.failure, false)
    tellFailure(work, 'AUDIT_S3_MULTIPART_UPLOAD_INITIALIZATION_FAILED', labels, found.failure, found.remedy)
    return found
  }
  const upload = createUpload({ id: heard.result, partBytes })
  entry.upload = upload
  upload.isRemembered = await work.save(entry)
  return undefined
}

export async function complete(work: Work, entry: Entry, upload: Upload): Promise<Outcome> {
  const labels = { log: entry.log, uploadId: upload.id }
  work.log.emit('AUDIT_S3_MULTIPART_UPLOAD_FINALIZING', { ...labels, attempt: entry.failures + 1 })
  const parts = [...upload.parts.values()].sort((a, b) => a.partNumber - b.partNumber)
  const key = work.keyOf(entry.log)
  const heard = await work.call(entry, { op: 'complete', key, uploadId: upload.id, parts })
  if (heard === undefined) return 'stopped'
  if (!heard.ok) {
    const found = trouble(heard.failure, true)
    // An earlier try may have come through whose answer did not.
    if (found.remedy === 'anew' && (await isThere(work, entry))) return finalized(work, entry, upload)
    const all = { ...labels, attempt: entry.failures + 1 }
    tellFailure(work, 'AUDIT_S3_MULTIPART_UPLOAD_FINALIZATION_FAILED', all, found.failure, found.remedy)
    return found
  }
  entry.etag = heard.result.etag
  return finalized(work, entry, upload)
}

function finalized(work: Work, entry: Entry, upload: Upload): undefined {
  work.log.emit('AUDIT_S3_MULTIPART_UPLOAD_FINALIZED', { log: entry.log, uploadId: upload.id })
  entry.isStored = true
}

async function isThere(work: Work, entry: Entry): Promise<boolean> {
  const heard = await work.call(entry, { op: 'head', key: work.keyOf(entry.log) })
  return heard?.ok === true && heard.result.bytes === entry.size
}

/** The object is what was sent. Whoever may only write cannot know, and has to trust the answer of the upload. */
export async function verify(work: Work, entry: Entry): Promise<Outcome> {
  const heard = await work.call(entry, { op: 'head', key: work.keyOf(entry.log) })
  if (heard === undefined) return 'stopped'
  const problem = problemOf(heard, entry)
  if (problem === undefined) {
    entry.isVerified = true
    return undefined
  }
  const found = trouble(problem, false)
  const code =
    entry.upload === undefined ? 'AUDIT_S3_SINGLE_UPLOAD_FAILED' : 'AUDIT_S3_MULTIPART_UPLOAD_FINALIZATION_FAILED'
  tellFailure(work, code, { log: entry.log, attempt: entry.failures + 1 }, problem, 'soon')
  if (heard.ok || heard.failure.status === 404) {
    entry.isStored = false
    entry.upload = undefined
  }
  return { failure: found.failure, remedy: 'soon' }
}

function problemOf(heard: Heard<'head'>, entry: Entry): S3Failure | undefined {
  if (heard.ok) {
    const { bytes, etag } = heard.result
    const isSame = bytes === entry.size && (etag === '' || entry.etag === '' || bare(etag) === bare(entry.etag))
    const message = `the object has ${bytes} bytes and the ETag ${etag}; expected ${entry.size} and ${entry.etag}`
    return isSame ? undefined : { from: 'service', status: 200, name: 'Different', message }
  }
  const { from, status = 0 } = heard.failure
  const isForbidden = from === 'service' && status >= 400 && status < 500 && ![404, 408, 429].includes(status)
  return isForbidden || status === 501 ? undefined : heard.failure
}

/** Some services give it with quotation marks in one place and without in another. */
const bare = (etag: string): string => etag.replaceAll('"', '')
