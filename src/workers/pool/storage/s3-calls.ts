/** A call to the object storage, from its data to the data of its answer. */
import type { S3Answer, S3Call, S3Operation, S3Settings } from '../../../shared/s3-call.ts'
import { type Open, openForReading } from './s3-body.ts'
import { clientOf } from './s3-client.ts'
import { failureOf } from './s3-failure.ts'
import { abort, type Context, complete, create, type Done, head, part, parts, put, uploads } from './s3-operations.ts'

export type S3Caller = <Op extends S3Operation>(
  settings: S3Settings,
  call: S3Call<Op>,
  signal: AbortSignal,
) => Promise<S3Answer<Op>>

/** `open`: how files are opened, if not as usual. */
export function createS3Caller(open: Open = openForReading): S3Caller {
  return async <Op extends S3Operation>(settings: S3Settings, call: S3Call<Op>, signal: AbortSignal) => {
    try {
      const { requestMs, leastBytesPerSecond } = settings.limits
      const limit = (bytes: number) => {
        const ms = requestMs + Math.ceil((bytes / leastBytesPerSecond) * 1000)
        return { abortSignal: AbortSignal.any([signal, AbortSignal.timeout(ms)]) }
      }
      const done = await perform({ settings, client: await clientOf(settings), open, limit }, call as S3Call)
      // The call's operation decides the type of the result, which the compiler does not follow through a switch.
      return { ok: true, ...done } as S3Answer<Op>
    } catch (error) {
      return { ok: false, failure: failureOf(error) }
    }
  }
}

async function perform(context: Context, call: S3Call): Promise<Done<S3Operation>> {
  switch (call.op) {
    case 'put':
      return put(context, call)
    case 'create':
      return { result: await create(context, call) }
    case 'part':
      return part(context, call)
    case 'complete':
      return { result: await complete(context, call) }
    case 'abort':
      return { result: await abort(context, call) }
    case 'uploads':
      return { result: await uploads(context, call) }
    case 'parts':
      return { result: await parts(context, call) }
    case 'head':
      return { result: await head(context, call) }
    default:
      throw new Error(`no operation of S3: ${JSON.stringify(call satisfies never)}`)
  }
}
