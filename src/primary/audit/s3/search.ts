/** Uploads that an earlier run left open: one is gone on with, the others are taken back. */
import { type Begun, createUpload, type Entry } from './entry.ts'
import { lookAtParts } from './parts.ts'
import { type Outcome, trouble } from './steps.ts'
import { tellFailure } from './tell.ts'
import type { Work } from './work.ts'

export async function search(work: Work, entry: Entry): Promise<Outcome> {
  const key = work.keyOf(entry.log)
  const heard = await work.call(entry, { op: 'uploads', key })
  if (heard === undefined) return 'stopped'
  if (!heard.ok) {
    const found = trouble(heard.failure, false)
    tellFailure(
      work,
      'AUDIT_S3_MULTIPART_FAILED_LIST',
      { log: entry.log, bucket: work.settings.bucket },
      found.failure,
      found.remedy,
    )
    // Who may not list, or asks a service that cannot, uploads all the same.
    if (found.remedy === 'soon' && heard.failure.status !== 501) return found
  }
  const known = heard.ok ? heard.result : []
  const { remembered } = entry
  const mine = heard.ok && remembered !== undefined && !known.includes(remembered.id) ? undefined : remembered
  const outcome = mine === undefined ? undefined : await resume(work, entry, mine)
  if (outcome !== undefined) return outcome
  for (const id of known) {
    if (id !== entry.upload?.id) await takeBack(work, entry, id)
  }
  entry.isSearched = true
  return undefined
}

async function resume(work: Work, entry: Entry, begun: Begun): Promise<Outcome> {
  const upload = createUpload(begun)
  const outcome = await lookAtParts(work, entry, upload)
  if (outcome !== undefined) return outcome === 'stopped' || outcome.remedy === 'soon' ? outcome : undefined
  upload.isRemembered = true
  entry.upload = upload
  return undefined
}

/** `reason`: it is given up, which somebody should know; undefined: it is of an earlier run. True: it is gone. */
export async function takeBack(work: Work, entry: Entry, uploadId: string, reason?: string): Promise<boolean> {
  const labels = { log: entry.log, uploadId }
  if (reason === undefined) work.log.emit('AUDIT_S3_MULTIPART_ABORTING', labels)
  else work.log.emit('AUDIT_S3_MULTIPART_ABORTING', { ...labels, reason }, { level: 'warning' })
  const heard = await work.call(entry, { op: 'abort', key: work.keyOf(entry.log), uploadId })
  if (heard === undefined) return false
  if (!heard.ok) tellFailure(work, 'AUDIT_S3_MULTIPART_FAILED_ABORT', labels, heard.failure, 'soon')
  return heard.ok
}
