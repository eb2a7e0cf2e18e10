/**
 * The thread that talks to the object storage. It is none of those that encode: these would wait for the network while
 * sessions wait for them. It is there while there is something to upload, and the SDK with it.
 */
import type { S3Answer, S3Call, S3Operation, S3Port, S3Settings, S3Task } from '../../../shared/s3-call.ts'
import { createPool, type Pool } from '../pool.ts'

export interface S3Threads {
  readonly ask: S3Port
  /** Ends the calls that are still going on. */
  close(): Promise<void>
}
// A type: an interface has no index signature, which tasks by name need.
type Tasks = { readonly s3: (task: S3Task, signal: AbortSignal) => Promise<S3Answer> }

/** Until calls that were aborted have closed their files. */
const graceMs = 500

/** `failed`: the thread ended outside of its calls, which end with a failure. It is replaced. */
export function createS3Threads(settings: S3Settings, failed: (error: Error) => void): S3Threads {
  const isSource = import.meta.url.endsWith('.ts')
  let pool: Pool<Tasks> | undefined
  let isClosed = false
  const start = (): Pool<Tasks> =>
    createPool<Tasks>({
      module: new URL(`../../../workers/pool/storage/s3.${isSource ? 'ts' : 'js'}`, import.meta.url),
      threads: 1,
      perThread: settings.connections,
      // The queue of logs sends no more than there are connections; a few more are aborted ones.
      queue: settings.connections,
      graceMs,
      failed,
    })
  return {
    async ask<Op extends S3Operation>(call: S3Call<Op>, signal: AbortSignal) {
      try {
        if (isClosed) throw new Error('the thread has been ended')
        pool ??= start()
        // The task answers with the result of its operation.
        return (await pool.run('s3', { settings, call: call as S3Call }, { signal })) as S3Answer<Op>
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        return { ok: false, failure: { from: 'local', status: undefined, name: 'Thread', message } }
      }
    },
    async close() {
      isClosed = true
      await pool?.close()
    },
  }
}
