/** Asks again while that can help and there is time. */
import type { Fault } from '../../shared/codes/fault.ts'
import { sleep } from '../../shared/deadline.ts'
import { observe, secondsSince, type WebhookLabel } from '../../shared/metric.ts'
import { backoff } from '../../shared/retry.ts'
import type { Reply } from './client.ts'

const firstPauseMs = 200
const longestPauseMs = 10_000

export type Missing = Exclude<Reply<never>, { readonly kind: 'answer' }>

/** Why there was no answer, as the counters have it: the client's code, of which there are four. */
export function clientReason({ code }: Fault) {
  switch (code) {
    case 'HTTP_CLIENT_DECODE_FAILED':
    case 'HTTP_CLIENT_ENCODE_FAILED':
    case 'HTTP_CLIENT_REDIRECTS_DISABLED':
      return code
    default:
      return 'HTTP_CLIENT_CONNECTION_FAILED'
  }
}

export interface Tries<T> {
  readonly webhook: WebhookLabel
  /** For all tries and the pauses between them. */
  readonly totalMs: number
  readonly signal: AbortSignal
  /** `attempt` counts from 1; the try must not take longer than `limitMs`. */
  once(attempt: number, limitMs: number): Promise<Reply<T>>
  /** Another try follows after a pause. */
  again(missing: Missing, attempt: number): void
}

export type Outcome<T> =
  /** To which of the tries. */
  | { readonly kind: 'answer'; readonly value: T; readonly attempt: number }
  /** Of the last of so many tries. */
  | { readonly kind: 'gave up'; readonly missing: Missing; readonly attempts: number }

export async function persist<T>({ webhook, totalMs, signal, once, again }: Tries<T>): Promise<Outcome<T>> {
  const deadline = performance.now() + totalMs
  const pauses = backoff(firstPauseMs, longestPauseMs)
  for (let attempt = 1; ; attempt++) {
    const startMs = performance.now()
    const reply = await once(attempt, Math.max(1, Math.ceil(deadline - startMs)))
    const result = reply.kind === 'answer' ? 'answer' : 'failure'
    observe('containerssh_webhook_request_seconds', { webhook, result }, secondsSince(startMs))
    if (reply.kind === 'answer') return { ...reply, attempt }
    const pauseMs = Math.max(pauses.next(), reply.kind === 'status' ? reply.pauseMs : 0)
    const helps = reply.again === 'yes' || (reply.again === 'if begun' && attempt > 1)
    if (!helps || signal.aborted || performance.now() + pauseMs >= deadline) {
      return { kind: 'gave up', missing: reply, attempts: attempt }
    }
    again(reply, attempt)
    await sleep(pauseMs, signal)
    if (signal.aborted) return { kind: 'gave up', missing: reply, attempts: attempt }
  }
}
