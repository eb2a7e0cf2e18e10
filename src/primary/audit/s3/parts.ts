/** The parts of a log: several at a time, each from the file as it is on the disk. */
import { type Entry, missingPart, type Upload } from './entry.ts'
import { partOf, type Span } from './layout.ts'
import { lookAtFile, type Outcome, trouble } from './steps.ts'
import { tellFailure } from './tell.ts'
import type { Work } from './work.ts'

/** Sends what is missing. After a failure nothing more is begun; what is on its way may arrive. */
export async function sendParts(work: Work, entry: Entry, upload: Upload): Promise<Outcome> {
  const missing = await lookAtFile(work, entry)
  if (missing !== undefined) return missing
  // A service that closes the connection while a body is on its way may have said why, or have taken the part.
  const lost = entry.failures > 0 ? await lookAtParts(work, entry, upload) : undefined
  if (lost === 'stopped' || lost?.remedy === 'anew') return lost
  let outcome: Outcome
  const lane = async (): Promise<void> => {
    while (outcome === undefined) {
      const part = missingPart(entry, upload)
      if (part === undefined) return
      upload.running.add(part.partNumber)
      const its = await sendPart(work, entry, upload, part)
      upload.running.delete(part.partNumber)
      outcome ??= its
    }
  }
  const lanes: Promise<void>[] = []
  while (lanes.length < work.settings.parallelUploads && missingPart(entry, upload) !== undefined) lanes.push(lane())
  await Promise.all(lanes)
  return outcome
}

/** Asks the service which parts it has. They count if they have the size that they have with us. */
export async function lookAtParts(work: Work, entry: Entry, upload: Upload): Promise<Outcome> {
  const heard = await work.call(entry, { op: 'parts', key: work.keyOf(entry.log), uploadId: upload.id })
  if (heard === undefined) return 'stopped'
  if (!heard.ok) return trouble(heard.failure, true)
  for (const part of heard.result) {
    const ours = partOf(part.partNumber, upload.partBytes, entry.size, entry.isFinished)
    if (ours?.bytes === part.bytes) upload.parts.set(part.partNumber, part)
  }
  return undefined
}

async function sendPart(
  work: Work,
  entry: Entry,
  upload: Upload,
  { partNumber, start, bytes }: Span & { readonly partNumber: number },
): Promise<Outcome> {
  const labels = { log: entry.log, partNumber, partSize: bytes, uploadId: upload.id }
  const attempt = entry.failures + 1
  work.log.emit('AUDIT_S3_MULTIPART_PART_UPLOADING', { ...labels, attempt })
  const heard = await work.call(entry, {
    op: 'part',
    key: work.keyOf(entry.log),
    uploadId: upload.id,
    partNumber,
    file: work.pathOf(entry.log),
    start,
    bytes,
  })
  if (heard === undefined) return 'stopped'
  if (heard.ok) {
    upload.parts.set(partNumber, heard.result)
    work.log.emit('AUDIT_S3_MULTIPART_PART_UPLOAD_COMPLETE', labels)
    return undefined
  }
  const found = trouble(heard.failure, true)
  tellFailure(work, 'AUDIT_S3_MULTIPART_PART_UPLOAD_FAILED', { ...labels, attempt }, found.failure, found.remedy)
  return found
}
