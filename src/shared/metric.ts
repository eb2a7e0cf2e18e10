/**
 * What is counted. To count something new, add a row to `counters` and call `count`; the metrics endpoint and the reports
 * of the workers follow from the table.
 *
 * Every label has a closed set of values, so that no client and no worker can make the number of series grow; names of
 * users and addresses are never labels.
 */
import { offences } from './ipc/outcome.ts'
import { s3Operations } from './s3-call.ts'

interface CounterRow {
  readonly help: string
  /** Label to its values. */
  readonly labels: Readonly<Record<string, readonly string[] | CountryForm>>
}
/** ISO 3166-1 alpha-2, or `XX` for unknown. */
type CountryForm = 'country'
const country = /^[A-Z]{2}$/
/** Of everything, as long as nothing looks addresses up. */
export const unknownCountry = 'XX'

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
    labels: { authtype: authTypes, retry: ['0', '1'] },
  },
  containerssh_auth_server_failures_total: {
    help: 'Requests to these webhooks without a usable answer, by the code of the reason; after a soft one follows another try.',
    labels: { authtype: authTypes, type: ['soft', 'hard'], reason: authServerReasons },
  },
  containerssh_auth_success_total: {
    help: 'Attempts that an authentication or authorization webhook accepted.',
    labels: { authtype: authTypes, country: 'country' },
  },
  containerssh_auth_failures_total: {
    help: 'Attempts that an authentication or authorization webhook refused.',
    labels: { authtype: authTypes, country: 'country' },
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
    labels: { retry: ['0', '1'] },
  },
  containerssh_config_server_failures_total: {
    help: 'Requests to this webhook without a usable answer, by the code of the reason: a soft one each time, a hard one when there is no other try.',
    labels: { type: ['soft', 'hard'], retry: ['0', '1'], reason: configServerReasons },
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
type ValueOf<L> = L extends readonly (infer V)[] ? V : string
export type CounterLabels<N extends CounterName> = {
  readonly [K in keyof (typeof counters)[N]['labels']]: ValueOf<(typeof counters)[N]['labels'][K]>
}

/** One series and by how much it grew. Values in the order of the row's labels. */
export type Increment = readonly [name: CounterName, values: readonly string[], by: number]

export interface Counters {
  count<N extends CounterName>(name: N, labels: CounterLabels<N>): void
  add(increments: readonly Increment[]): void
  /** All series that were ever counted, in the order of their first use. */
  read(): readonly Increment[]
  /** Like `read`, and begins again at zero. */
  take(): readonly Increment[]
}

export function createCounters(): Counters {
  const series = new Map<string, { readonly name: CounterName; readonly values: readonly string[]; by: number }>()
  const grow = (name: CounterName, values: readonly string[], by: number): void => {
    const key = `${name} ${values.join(' ')}`
    const one = series.get(key)
    if (one === undefined) series.set(key, { name, values, by })
    else one.by += by
  }
  const read = (): Increment[] => [...series.values()].map(({ name, values, by }) => [name, values, by])
  return {
    count(name, labels) {
      const given = labels as Readonly<Record<string, string>>
      grow(
        name,
        Object.keys(counters[name].labels).map((label) => given[label] ?? ''),
        1,
      )
    },
    add(increments) {
      for (const [name, values, by] of increments) grow(name, values, by)
    },
    read,
    take() {
      const all = read()
      series.clear()
      return all
    },
  }
}

/** Those of this process. A worker's are taken with each `load` report and added to the primary's. */
export const processCounters = createCounters()
/** In this process, wherever something happens: `count('containerssh_ssh_refusals_total', { reason: 'penalty' })`. */
export const { count } = processCounters

/** For what comes from another process. */
export function isIncrement(value: unknown): value is Increment {
  if (!Array.isArray(value) || value.length !== 3) return false
  const [name, values, by]: unknown[] = value
  if (typeof name !== 'string' || !Object.hasOwn(counters, name) || !Array.isArray(values)) return false
  const row: CounterRow = counters[name as CounterName]
  const rules = Object.values(row.labels)
  return (
    Number.isSafeInteger(by) &&
    (by as number) > 0 &&
    values.length === rules.length &&
    rules.every((rule, index) => isValue(rule, values[index]))
  )
}

function isValue(rule: readonly string[] | CountryForm, value: unknown): boolean {
  if (typeof value !== 'string') return false
  return rule === 'country' ? country.test(value) : rule.includes(value)
}
