/** The documents of the control socket, version 1. Names and meanings stay; others may be added. */
import type { ChannelState } from '../../shared/ipc/control.ts'
import type { Stage } from '../post.ts'
import type { Located } from './switchboard.ts'

export interface ChannelView {
  readonly id: number
  readonly type: string
  readonly program: string | null
  readonly detail: string | null
  readonly terminal: { readonly columns: number; readonly rows: number } | null
  readonly room: string | null
  readonly receivedBytes: number
  readonly sentBytes: number
}
export interface ConnectionView {
  readonly id: string
  /** Null: not authenticated. */
  readonly username: string | null
  readonly remoteAddress: string
  readonly remotePort: number
  readonly country: string
  readonly clientVersion: string
  /** ISO 8601. */
  readonly connectedAt: string
  readonly authenticatedAt: string | null
  readonly idleSeconds: number
  readonly worker: number
  readonly pid: number
  /** Its worker takes no new connections. */
  readonly retired: boolean
  /** Container or pod. */
  readonly room: string | null
  /** The first 32 of them. */
  readonly channels: readonly ChannelView[]
  readonly channelCount: number
  readonly receivedBytes: number
  readonly sentBytes: number
}
export interface WorkerView {
  readonly worker: number
  readonly pid: number
  readonly stage: Stage
  readonly phase: string
  readonly connections: number
  readonly residentBytes: number | null
  readonly queuedBytes: number
  readonly roomsAhead: number | null
}
/** Another process of the same daemon. */
export interface OtherView {
  readonly pid: number
  readonly socket: string
  /** Null: it did not say. */
  readonly connections: number | null
}
export interface StatusView {
  readonly version: string
  readonly pid: number
  readonly startedAt: string
  readonly ready: boolean
  readonly draining: boolean
  readonly connections: number
  readonly workers: number
  readonly missingWorkers: number
  readonly others: readonly OtherView[]
}
export interface ListView {
  readonly connections: readonly ConnectionView[]
  /** Workers that did not answer: their connections are missing. */
  readonly silentWorkers: readonly number[]
  readonly others: readonly OtherView[]
}
/** One line of `GET /v1/connections/ID/output`. */
export type OutputEvent =
  | {
      readonly event: 'output'
      readonly channel: number
      readonly stream: 'stdout' | 'stderr'
      /** Base64. */
      readonly data: string
    }
  /** So many bytes were put out that are not shown. */
  | { readonly event: 'lost'; readonly bytes: number }
  | { readonly event: 'size'; readonly channel: number; readonly columns: number; readonly rows: number }
  | { readonly event: 'end'; readonly reason: string }

export const connectionView = (one: Located, now = Date.now()): ConnectionView => ({
  id: one.connectionId,
  username: one.username === '' ? null : one.username,
  remoteAddress: one.address,
  remotePort: one.port,
  country: one.country,
  clientVersion: one.clientVersion,
  connectedAt: timeOf(now, one.ageMs),
  authenticatedAt: one.authenticatedMs === 0 ? null : timeOf(now, one.authenticatedMs),
  idleSeconds: Math.round(one.idleMs / 1000),
  worker: one.worker,
  pid: one.pid,
  retired: one.stage === 'retired',
  room: one.room === '' ? null : one.room,
  channels: one.channels.map(channelView),
  channelCount: one.channelCount,
  receivedBytes: one.receivedBytes,
  sentBytes: one.sentBytes,
})

/** However long ago a worker says it was. */
const timeOf = (now: number, agoMs: number): string => new Date(Math.max(0, now - agoMs)).toISOString()

const channelView = (one: ChannelState): ChannelView => ({
  id: one.channel,
  type: one.type,
  program: one.program === '' ? null : one.program,
  detail: one.detail === '' ? null : one.detail,
  terminal: one.terminal ? { columns: one.columns, rows: one.rows } : null,
  room: one.room === '' ? null : one.room,
  receivedBytes: one.receivedBytes,
  sentBytes: one.sentBytes,
})
