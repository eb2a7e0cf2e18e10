/** What the SDK, the network or the file system threw, as data that crosses threads. */
import { describeCause } from '../../../shared/codes/fault.ts'
import type { S3Failure } from '../../../shared/s3-call.ts'
import { ShortFileError } from './s3-body.ts'

/** A service may answer with a whole HTML page. */
const longestMessage = 300

interface Thrown {
  readonly name?: unknown
  readonly code?: unknown
  readonly syscall?: unknown
  readonly path?: unknown
  readonly $metadata?: { readonly httpStatusCode?: unknown }
  readonly $response?: { readonly statusCode?: unknown }
}

export function failureOf(error: unknown): S3Failure {
  const { name, code, syscall, path, $metadata, $response }: Thrown = error instanceof Error ? error : {}
  const status = $metadata?.httpStatusCode ?? $response?.statusCode
  const text = describeCause(error)
  const message = text.length > longestMessage ? `${text.slice(0, longestMessage)}…` : text
  const named = typeof code === 'string' ? code : String(name ?? 'Error')
  if (typeof status === 'number') return { from: 'service', status, name: String(name), message }
  const isLocal = error instanceof ShortFileError || (typeof syscall === 'string' && typeof path === 'string')
  return { from: isLocal ? 'local' : 'network', status: undefined, name: named, message }
}
