/** Requests at the control socket: HTTP with JSON, read within bounds, answered with one document or one clear error. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as z from 'zod'

/** What `error` in an answer can be. */
export type Trouble = 'malformed' | 'unknown' | 'ambiguous' | 'no-such-path' | 'refused' | 'busy' | 'silent' | 'failed'

const statuses: Readonly<Record<Trouble, number>> = {
  malformed: 400,
  unknown: 404,
  'no-such-path': 404,
  ambiguous: 409,
  refused: 409,
  failed: 500,
  busy: 503,
  silent: 504,
}

/** The request cannot be served, and the operator is to read why. */
export class RequestError extends Error {
  readonly trouble: Trouble
  constructor(trouble: Trouble, message: string) {
    super(message)
    this.trouble = trouble
  }
  get status(): number {
    return statuses[this.trouble]
  }
}

const MAX_BODY_BYTES = 8192
export const LONGEST_MESSAGE = 1000

/** One line that does nothing to a terminal. */
const line = (longest: number) =>
  z
    .string()
    .max(longest, `is longer than ${longest} characters`)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
    .regex(/^[^\x00-\x08\x0a-\x1f\x7f-\x9f]*$/, 'has control characters in it; expected one line of text')

export const messageBody = z.strictObject({
  text: line(LONGEST_MESSAGE).min(1, 'is empty'),
  stderr: z.boolean().default(false),
})
export const killBody = z.strictObject({ reason: line(200).default('') })
export const emptyBody = z.strictObject({})

/** An absent body is an empty object. @throws RequestError */
export async function bodyOf<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  const chunks: Buffer[] = []
  let bytes = 0
  // Without an encoding, chunks are bytes.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new RequestError('malformed', `the body is larger than ${MAX_BODY_BYTES} bytes`)
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString()
  let value: unknown
  try {
    value = text === '' ? {} : JSON.parse(text)
  } catch (error) {
    throw new RequestError('malformed', `the body is not JSON: ${(error as Error).message}`)
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new RequestError('malformed', `${issue?.path.join('.') || 'the body'}: ${issue?.message}`)
}

export function sendJson(response: ServerResponse, status: number, document: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(`${JSON.stringify(document)}\n`)
}
