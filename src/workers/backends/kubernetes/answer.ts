/** What the API server answers: bodies with a bound, lines of a watch, and refusals in its own words. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { ApiError, missingRight } from './failure.ts'

const mostAnswerBytes = 8 * 2 ** 20
const mostReasonLength = 1000

/** @throws ApiError when it is too large; what the stream throws */
export async function textOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    const bytes = chunk as Buffer // the stream has no encoding
    size += bytes.length
    if (size > mostAnswerBytes) throw new ApiError(200, `the answer is larger than ${mostAnswerBytes} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** One JSON value a line. @throws ApiError when a line is too long; what the stream throws */
export async function* linesOf(body: Readable): AsyncGenerator<unknown> {
  let rest = ''
  for await (const text of body.setEncoding('utf8')) {
    const lines = (rest + String(text)).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > mostAnswerBytes) throw new ApiError(200, `a line is longer than ${mostAnswerBytes}`)
    for (const line of lines) if (line !== '') yield JSON.parse(line) as unknown
  }
}

/** From a Status object (kubernetes.io: Common Definitions, Status), or from whatever a proxy in between says. */
export function refusal(statusCode: number, head: IncomingHttpHeaders, body: string): ApiError {
  const retryAfterMs = Number(head['retry-after'] ?? 0) * 1000 || 0
  try {
    const { message, reason } = JSON.parse(body) as { message?: unknown; reason?: unknown }
    if (typeof message === 'string') {
      const more = { reason: typeof reason === 'string' ? reason : '', retryAfterMs }
      return new ApiError(statusCode, statusCode === 403 ? withAdvice(message) : message, more)
    }
  } catch {
    // no JSON
  }
  const text = body.trim().slice(0, mostReasonLength)
  return new ApiError(statusCode, text || `status ${statusCode}`, { retryAfterMs })
}

/** The API server names verb, resource and namespace of a right that is missing; we know where all of them stand. */
function withAdvice(message: string): string {
  return missingRight.test(message) ? `${message}; deploy/kubernetes/rbac.yaml has all rights that are needed` : message
}

/** No library's error leaves `client.ts` and `stream.ts`. */
export function noAnswer(server: string, cause: unknown): ApiError {
  const error = cause instanceof Error ? cause : new Error(String(cause))
  const code = 'code' in error ? String(error.code) : ''
  const isUntrusted = untrusted.has(code)
  const says = isUntrusted ? 'has a certificate that is not trusted' : 'does not answer'
  // Node gives an AggregateError without a text when each address of a name refused.
  const why = error.message || code || error.name
  const more = { cause, isUnsent: unsent.has(code) || isUntrusted, isFinal: isUntrusted }
  return new ApiError(0, `the API server at ${server} ${says}: ${why}`, more)
}

/** No connection was made: the request reached nobody, and may be sent to another server. */
const unsent: ReadonlySet<string> = new Set([
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT'],
  'UND_ERR_CONNECT_TIMEOUT',
])
/** OpenSSL's verdicts as Node names them (nodejs.org, TLS: X509 certificate error codes); waiting does not change them. */
const untrusted: ReadonlySet<string> = new Set([
  ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_GET_ISSUER_CERT'],
  ...['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERT_SIGNATURE_FAILURE'],
  ...['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'CERT_UNTRUSTED', 'ERR_TLS_CERT_ALTNAME_INVALID'],
])
