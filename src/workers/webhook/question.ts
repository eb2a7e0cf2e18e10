/** One question to an authentication or authorization server, with all of its tries, log lines and counters. */
import { type Fault, fault } from '../../shared/codes/fault.ts'
import type { Log } from '../../shared/log.ts'
import { type AuthType, count, retryOf } from '../../shared/metric.ts'
import type { HttpClient } from './client.ts'
import { clientReason, type Missing, persist } from './tries.ts'

export interface Question<T> {
  readonly client: HttpClient
  readonly totalMs: number
  readonly path: string
  readonly body: unknown
  readonly decode: (value: unknown) => T
  readonly authtype: AuthType
  readonly labels: QuestionLabels
  /** Carries module and connectionId. */
  readonly log: Log
  readonly signal: AbortSignal
}
/** Of every record about the question. */
export interface QuestionLabels {
  readonly username: string
  readonly url: string
  readonly authtype: string
  readonly authenticatedUsername?: string
  readonly providedUsername?: string
}

/** `attempt`: which of the tries it answers, from 1. */
export interface Answered<T> {
  readonly value: T
  readonly attempt: number
}

/** @throws Fault AUTH_BACKEND_ERROR when there is no usable answer, and none is to be had */
export async function ask<T>({
  client,
  totalMs,
  path,
  body,
  decode,
  authtype,
  labels,
  log,
  signal,
}: Question<T>): Promise<Answered<T>> {
  /** Tells why there was no answer. */
  const told = (missing: Missing, attempt: number): Fault => {
    const why =
      missing.kind === 'failure'
        ? missing.fault
        : fault('AUTH_INVALID_STATUS', { statusCode: missing.status, ...labels })
    log.fault(why, 'debug')
    failed(authtype, 'soft', missing, attempt)
    return why
  }
  const outcome = await persist({
    webhook: authtype,
    totalMs,
    signal,
    once(attempt, limitMs) {
      log.emit('AUTH', labels)
      count('containerssh_auth_server_requests_total', { authtype, retry: retryOf(attempt) })
      return client.post({ path, body, decode, log, signal, limitMs })
    },
    again(missing, attempt) {
      const cause = told(missing, attempt)
      log.emit('AUTH_BACKEND_ERROR', { ...labels, reason: cause.code, attempt }, { level: 'debug', cause })
    },
  })
  if (outcome.kind === 'answer') return outcome
  const { missing, attempts } = outcome
  const cause = told(missing, attempts)
  // The client has gone: nobody's fault, and nobody waits for an answer.
  const level = signal.aborted ? 'debug' : 'error'
  if (!signal.aborted) failed(authtype, 'hard', missing, attempts)
  throw fault('AUTH_BACKEND_ERROR', { ...labels, reason: cause.code, attempt: attempts }, { level, cause })
}

const failed = (authtype: AuthType, type: 'soft' | 'hard', missing: Missing, attempt: number): void =>
  count('containerssh_auth_server_failures_total', {
    authtype,
    type,
    retry: retryOf(attempt),
    reason: failureReason(missing),
  })

const failureReason = (missing: Missing) =>
  missing.kind === 'status' ? 'AUTH_INVALID_STATUS' : clientReason(missing.fault)
