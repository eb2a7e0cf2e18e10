/** The task of the pool: one call to the object storage. */
import type { S3Answer, S3Task } from '../../../shared/s3-call.ts'
import { task } from '../task.ts'
import { createS3Caller } from './s3-calls.ts'

const caller = createS3Caller()

export const s3 = task(
  ({ settings, call }: S3Task, signal: AbortSignal): Promise<S3Answer> => caller(settings, call, signal),
)
