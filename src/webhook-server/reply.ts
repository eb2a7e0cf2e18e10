/** Answers that are no decision. */
import { STATUS_CODES } from 'node:http'
import { encodeJson } from '../shared/webhook/json.ts'

export interface Reply {
  readonly status: number
  /** JSON; empty: no body. */
  readonly body: string
  readonly allow?: string
}

/** `reason`: what the caller can do better. */
export const failure = (status: number, reason?: string): Reply => ({
  status,
  body: encodeJson({ error: STATUS_CODES[status] ?? 'Error', ...(reason !== undefined && { reason }) }),
})
export const notAllowed = (allow: string): Reply => ({ ...failure(405), allow })
/** As the Go program answers when a handler of an authentication server fails. */
export const refusal: Reply = { status: 500, body: encodeJson({ success: false }) }
