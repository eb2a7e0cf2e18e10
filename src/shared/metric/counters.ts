/**
 * What is counted. To count something new, add a row and call `count`; the metrics endpoint, the reports of the workers
 * and docs/metrics.md follow from the table.
 *
 * Names of users and addresses are never labels.
 */
import { offences } from '../ipc/outcome.ts'
import { s3Operations } from '../s3-call.ts'
import { backends } from './histograms.ts'
import type { Labels } from './label.ts'

export interface CounterRow {
  readonly help: string
  readonly labels: Labels
}

export const refusalReasons = [
  'connections',
  'connections_per_source',
  'startups',
  'startups_per_source',
  'random_drop',
  'penalty',
  'busy',
  'proxy_header',
  'audit',
  'drain',
] as const
export type RefusalReason = (typeof refusalReasons)[number]

/** Limits on one connection. */
export const connectionLimits = [
  'channels',
  'forwards',
  'auth_tries',
  'auth_requests',
  'login_grace',
  'keepalive',
  'rekey',
  'idle_timeout',
  'session_timeout',
  'protocol',
] as const
export type ConnectionLimit = (typeof connectionLimits)[number]

export const authTypes = ['password', 'pubkey', 'keyboard-interactive', 'authorization'] as const
export type AuthType = (typeof authTypes)[number]
/** 0: the first try; 1: any later one. */
const retries = ['0', '1'] as const
export const retryOf = (attempt: number): (typeof retries)[number] => (attempt === 1 ? '0' : '1')
const authServerReasons = [
  'AUTH_INVALID_STATUS',
  'HTTP_CLIENT_CONNECTION_FAILED',
  'HTTP_CLIENT_DECODE_FAILED',
  'HTTP_CLIENT_ENCODE_FAILED',
  'HTTP_CLIENT_REDIRECTS_DISABLED',
] as const

const configServerReasons = [
  'CONFIG_INVALID_STATUS_CODE',
  'HTTP_CLIENT_CONNECTION_FAILED',
  'HTTP_CLIENT_DECODE_FAILED',
  'HTTP_CLIENT_ENCODE_FAILED',
  'HTTP_CLIENT_REDIRECTS_DISABLED',
] as const

/** Names as in OpenMetrics; those with `country` are ContainerSSH's. */
export const counters = {
  containerssh_ssh_connections_total: {
    help: 'TCP connections that were admitted.',
    labels: { country: 'country' },
  },
  containerssh_ssh_successful_handshakes_total: {
    help: 'Connections whose user authenticated and got a session.',
    labels: { country: 'country' },
  },
  containerssh_ssh_failed_handshakes_total: {
    help: 'Connections that ended before their user had a session.',
    labels: { country: 'country' },
  },
  containerssh_ssh_refusals_total: {
    help: 'TCP connections that were turned away, by the limit that was reached.',
    labels: { reason: refusalReasons },
  },
  containerssh_ssh_limits_total: {
    help: 'Times that a connection reached a limit, by the limit; `protocol`: it broke a rule of the protocol.',
    labels: { limit: connectionLimits },
  },
  containerssh_auth_server_requests_total: {
    help: 'Requests to authentication and authorization webhooks, first ones and repeated ones.',
    labels: { authtype: authTypes, retry: retries },
  },
  containerssh_auth_server_failures_total: {
    help: 'Requests to these webhooks without a usable answer, by the code of the reason: a soft one each time, a hard one when there is no other try.',
    labels: { authtype: authTypes, type: ['soft', 'hard'], retry: retries, reason: authServerReasons },
  },
  containerssh_auth_success_total: {
    help: 'Attempts that `auth.users`, `auth.userCAs` or a webhook accepted, by authentication method, or `authorization`.',
    labels: { authtype: authTypes, retry: retries, country: 'country' },
  },
  containerssh_auth_failures_total: {
    help: 'The same that were refused.',
    labels: { authtype: authTypes, retry: retries, country: 'country' },
  },
  containerssh_ssh_penalties_total: {
    help: 'Sources that began to be refused, by what their last connection did.',
    labels: { reason: offences },
  },
  containerssh_audit_storage_failures_total: {
    help: 'Files of audit logs that could not be made, written, or flushed to the disk.',
    labels: { step: ['open', 'write', 'sync'] },
  },
  containerssh_config_server_requests_total: {
    help: 'Requests to the configuration webhook, first ones and repeated ones.',
    labels: { retry: retries },
  },
  containerssh_config_server_failures_total: {
    help: 'Requests to this webhook without a usable answer, by the code of the reason: a soft one each time, a hard one when there is no other try.',
    labels: { type: ['soft', 'hard'], retry: retries, reason: configServerReasons },
  },
  containerssh_backend_requests_total: {
    help: 'Calls to what containers and pods live on, first ones and repeated ones.',
    labels: { backend: backends },
  },
  containerssh_backend_errors_total: {
    help: 'Those calls that failed; with `failure`: what of the connection to an SSH server did.',
    labels: { backend: backends, failure: ['', 'tcp', 'handshake'] },
  },
  containerssh_pool_claims_total: {
    help: 'Logins for which a container or pod made ahead was looked for, by whether there was one.',
    labels: { result: ['hit', 'miss'] },
  },
  containerssh_worker_exits_total: {
    help: 'Worker processes that ended, and why: asked to, by a crash, or killed because they did not answer.',
    labels: { reason: ['stop', 'crash', 'hang'] },
  },
  containerssh_log_missing_records_total: {
    help: 'Log records that were not written: dropped or lost by a destination in trouble, or suppressed in a flood.',
    labels: { reason: ['dropped', 'suppressed'] },
  },
  containerssh_audit_waits_total: {
    help: 'Times that a connection began to wait until its audit records were stored, by whose limit was reached.',
    labels: { limit: ['connection', 'worker'] },
  },
  containerssh_audit_failures_total: {
    help: 'Connections whose audit log could not be written, by what became of the connection.',
    labels: { outcome: ['ended', 'continued'] },
  },
  containerssh_audit_s3_failures_total: {
    help: 'Calls to the object storage of audit logs that failed, first ones and repeated ones, by the operation.',
    labels: { operation: s3Operations },
  },
} as const satisfies Readonly<Record<string, CounterRow>>

export type CounterName = keyof typeof counters
