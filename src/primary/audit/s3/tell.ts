/** Failed calls in the log. */
import type { Labels, LabelsOf } from '../../../shared/log.ts'
import type { S3Failure } from '../../../shared/s3-call.ts'
import { type Remedy, wordsOf } from './retry.ts'
import type { Work } from './work.ts'

type FailureCode =
  | 'AUDIT_S3_SINGLE_UPLOAD_FAILED'
  | 'AUDIT_S3_MULTIPART_UPLOAD_INITIALIZATION_FAILED'
  | 'AUDIT_S3_MULTIPART_PART_UPLOAD_FAILED'
  | 'AUDIT_S3_MULTIPART_UPLOAD_FINALIZATION_FAILED'
  | 'AUDIT_S3_MULTIPART_FAILED_LIST'
  | 'AUDIT_S3_MULTIPART_FAILED_ABORT'

/**
 * A refusal concerns the bucket, so each log in the queue meets it: on the code's own level it is told once in a while. An
 * upload that the service no longer knows is begun anew, and nobody has to look.
 */
export function tellFailure<C extends FailureCode>(
  work: Work,
  code: C,
  labels: Omit<LabelsOf<C>, 'status' | 'error'>,
  failure: S3Failure,
  remedy: Remedy,
): void {
  const isQuiet = remedy === 'anew' || (remedy === 'late' && !work.isTold(code))
  const all: Labels = { ...labels, ...statusOf(failure), error: wordsOf(failure) }
  work.log.emit(code, all as LabelsOf<C>, { cause: failure.message, ...(isQuiet && { level: 'debug' as const }) })
}

const statusOf = ({ status }: S3Failure): Labels => (status === undefined ? {} : { status })
