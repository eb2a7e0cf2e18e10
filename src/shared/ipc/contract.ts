/**
 * What the primary and a worker may say to each other, and when. A message that is not in these tables, not allowed in
 * the worker's phase or not of its shape ends the worker: this is one of the four places where `unknown` becomes typed.
 *
 * Adding a row is a security review: a worker parses what strangers send, so take it for hostile.
 */
import { canonicalAddress } from '../address.ts'
import { type Check, isCount, isFlag } from '../check.ts'
import { isCode } from '../codes/index.ts'
import type { Config } from '../config/schema.ts'
import { levels } from '../log/level.ts'
import type { LogRecord } from '../log.ts'
import { isReported, type Reported } from '../metric/gauges.ts'
import { isCountry } from '../metric/label.ts'
import { type Increment, isIncrement, isObservation, type Observation } from '../metric.ts'
import { type ControlOrder, type ControlReport, controlOrders, controlReports, type Shape } from './control.ts'
import type { Arrival } from './handle.ts'
import { type Outcome, outcomes } from './outcome.ts'

/** A worker is starting until it has reported `ready`, then serving, and draining once it has been told to. */
export type Phase = 'starting' | 'serving' | 'draining'

/** Primary to worker. */
export type Order =
  | {
      readonly kind: 'configure'
      readonly config: Config
      /** PEM texts. */
      readonly hostKeys: readonly string[]
      /** The name of the daemon: the configured one, or the owner label of the primary. */
      readonly instance: string
      /** Number of the worker, for its log. */
      readonly worker: number
    }
  /** Remove what these dead processes left behind. */
  | { readonly kind: 'reap'; readonly owners: readonly string[] }
  /** Go on with the connection whose source was reported, from this country. */
  | { readonly kind: 'admitted'; readonly ticket: number; readonly country: string }
  /** End it; `line` is what the client reads first. */
  | { readonly kind: 'refuse'; readonly ticket: number; readonly line: string }
  /** So many bytes of the connection's batches are stored; the first comes with 0, once the log exists. */
  | { readonly kind: 'audit-stored'; readonly ticket: number; readonly bytes: number }
  /** The log cannot be written: nothing more is taken for it. */
  | { readonly kind: 'audit-failed'; readonly ticket: number; readonly reason: string }
  | ControlOrder
  /** No more connections come; those that are there go on. */
  | { readonly kind: 'retire' }
  /** End what runs, gracefully within `deadlineMs`, then report `drained`. */
  | { readonly kind: 'drain'; readonly deadlineMs: number }

/** Worker to primary. A ticket is the number under which the primary passed a connection. */
export type Report =
  /** `owner` is the label under which this worker creates containers. */
  | { readonly kind: 'ready'; readonly owner: string }
  /** `dropped`: records lost since the last such message because the link was congested. */
  | { readonly kind: 'log'; readonly records: readonly LogRecord[]; readonly dropped: number }
  /** Also the sign of life: sent every `LOAD_INTERVAL_MS`. */
  | {
      readonly kind: 'load'
      /** What was counted and timed since the last one. */
      readonly counts: readonly Increment[]
      readonly observed: readonly Observation[]
      readonly gauges: Reported
    }
  /** The worker holds these connections now; the primary lets go of its handles. */
  | { readonly kind: 'taken'; readonly tickets: readonly number[] }
  | { readonly kind: 'authenticated'; readonly ticket: number }
  | { readonly kind: 'closed'; readonly ticket: number; readonly outcome: Outcome }
  /** Who is behind a trusted proxy: the worker waits for `admitted` or `refuse`. Once for each such ticket. */
  | { readonly kind: 'source'; readonly ticket: number; readonly address: string; readonly port: number }
  /** Begins the audit log of a connection, which has the connection's id for a name. Once for each ticket. */
  | { readonly kind: 'audit-open'; readonly ticket: number; readonly connectionId: string }
  /** Records in their order; see `batch.ts`. At most MAX_BATCH_BYTES. */
  | { readonly kind: 'audit'; readonly ticket: number; readonly batch: Uint8Array }
  /** Everything was sent; the last record was `disconnect`. */
  | { readonly kind: 'audit-close'; readonly ticket: number }
  | ControlReport
  | { readonly kind: 'drained' }
  /** The worker cannot start, or is about to exit after a bug. */
  | { readonly kind: 'failed'; readonly record: LogRecord }

/** What goes with a connection's handle on Node's own channel. `proxied`: it begins with a header of PROXY protocol. */
export type Handover = readonly [
  ticket: number,
  address: string,
  port: number,
  proxied: boolean,
  country: string,
  acceptedMs: number,
]
export const handoverFor = (ticket: number, arrival: Arrival, proxied: boolean): Handover => [
  ticket,
  arrival.address,
  arrival.port,
  proxied,
  arrival.country,
  arrival.acceptedMs,
]

export const LOAD_INTERVAL_MS = 2000
/** Of audit records in one message: far below a frame. */
export const MAX_BATCH_BYTES = 512 * 1024

interface Rule {
  readonly phases: readonly Phase[]
  readonly shape: Readonly<Record<string, Check>>
}
export type Contract<M extends { readonly kind: string }> = { readonly [K in M['kind']]: Rule }

const isPort: Check = (value) => isCount(value) && (value as number) <= 65_535
/** In the spelling that limits and logs rely on. */
const isAddress: Check = (value) => typeof value === 'string' && canonicalAddress(value) === value
const isOutcome: Check = (value) => typeof value === 'string' && (outcomes as readonly string[]).includes(value)
const isText: Check = (value) => typeof value === 'string'
const isConnectionId: Check = (value) => typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)
const isBatch: Check = (value) => value instanceof Uint8Array && value.length <= MAX_BATCH_BYTES
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)
const isLabel: Check = (value) => isText(value) || Number.isFinite(value) || typeof value === 'boolean'
const isRecord: Check = (value) =>
  isObject(value) &&
  typeof value['level'] === 'string' &&
  Object.hasOwn(levels, value['level']) &&
  typeof value['code'] === 'string' &&
  isCode(value['code']) &&
  isText(value['message']) &&
  Number.isFinite(value['time']) &&
  isObject(value['labels']) &&
  Object.values(value['labels']).every(isLabel)

function inPhases<K extends string>(shapes: Readonly<Record<K, Shape>>, phases: readonly Phase[]): Record<K, Rule> {
  const rows = Object.entries<Shape>(shapes).map(([kind, shape]) => [kind, { phases, shape }])
  return Object.fromEntries(rows) as Record<K, Rule> // of the same keys
}

const always: readonly Phase[] = ['starting', 'serving', 'draining']
/** A worker may have sent these before it heard of the drain. */
const served: readonly Phase[] = ['serving', 'draining']

export const orders: Contract<Order> = {
  configure: {
    phases: ['starting'],
    // The primary is the side that is trusted; the schema has checked the configuration there.
    shape: { config: isObject, hostKeys: listOf(isText), instance: isText, worker: isCount },
  },
  reap: { phases: ['serving'], shape: { owners: listOf(isText) } },
  admitted: { phases: served, shape: { ticket: isCount, country: isCountry } },
  refuse: { phases: served, shape: { ticket: isCount, line: isText } },
  'audit-stored': { phases: served, shape: { ticket: isCount, bytes: isCount } },
  'audit-failed': { phases: served, shape: { ticket: isCount, reason: isText } },
  ...inPhases(controlOrders, served),
  retire: { phases: ['serving'], shape: {} },
  drain: { phases: served, shape: { deadlineMs: isCount } },
}

export const reports: Contract<Report> = {
  ready: { phases: ['starting'], shape: { owner: isText } },
  log: { phases: always, shape: { records: listOf(isRecord), dropped: isCount } },
  load: {
    phases: served,
    shape: { counts: listOf(isIncrement), observed: listOf(isObservation), gauges: isReported },
  },
  taken: { phases: served, shape: { tickets: listOf(isCount) } },
  authenticated: { phases: served, shape: { ticket: isCount } },
  closed: { phases: served, shape: { ticket: isCount, outcome: isOutcome } },
  source: { phases: served, shape: { ticket: isCount, address: isAddress, port: isPort } },
  'audit-open': { phases: served, shape: { ticket: isCount, connectionId: isConnectionId } },
  audit: { phases: served, shape: { ticket: isCount, batch: isBatch } },
  'audit-close': { phases: served, shape: { ticket: isCount } },
  ...inPhases(controlReports, served),
  drained: { phases: ['draining'], shape: {} },
  failed: { phases: always, shape: { record: isRecord } },
}

/** Whether a message may be sent now: the sender's half of the check, its shape is the compiler's business. */
export function isLegal<M extends { readonly kind: string }>(
  contract: Contract<M>,
  phase: Phase,
  kind: M['kind'],
): boolean {
  return contract[kind].phases.includes(phase)
}

/** The other side sent something that the contract does not allow. */
export class ContractError extends Error {}

/**
 * The message that `value` is.
 * @throws ContractError
 */
export function accept<M extends { readonly kind: string }>(contract: Contract<M>, phase: Phase, value: unknown): M {
  if (!isObject(value) || typeof value['kind'] !== 'string') throw new ContractError('a message without a kind')
  const kind = value['kind']
  if (!Object.hasOwn(contract, kind)) throw new ContractError(`an unknown message ${JSON.stringify(kind.slice(0, 40))}`)
  const rule: Rule = contract[kind as M['kind']]
  if (!rule.phases.includes(phase)) throw new ContractError(`the message ${kind} in phase ${phase}`)
  for (const name in rule.shape) {
    if (!Object.hasOwn(value, name) || rule.shape[name]?.(value[name]) !== true)
      throw new ContractError(`a wrong ${name} in the message ${kind}`)
  }
  // The table has one row per kind, and each row has just been held against the value: this is the parse.
  return value as unknown as M
}

/** What came with a handle, or undefined when it is not from our primary. */
export function handoverOf(
  value: unknown,
): { readonly ticket: number; readonly arrival: Arrival; readonly proxied: boolean } | undefined {
  if (!Array.isArray(value) || value.length !== 6) return undefined
  const [ticket, address, port, proxied, country, acceptedMs]: unknown[] = value
  if (!isCount(ticket) || !isText(address) || !isPort(port) || !isFlag(proxied)) return undefined
  if (!isCountry(country) || !Number.isFinite(acceptedMs)) return undefined
  const arrival = { address: address as string, port: port as number, country, acceptedMs: acceptedMs as number }
  return { ticket: ticket as number, arrival, proxied: proxied as boolean } // the checks above
}
