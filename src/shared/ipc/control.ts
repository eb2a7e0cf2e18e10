/**
 * What operators may ask of a worker, through the control socket of the primary; rows of the contract. An answer carries
 * the number of its request. What a worker says of its connections is its word: whoever shows it takes it for hostile.
 */
import { canonicalAddress } from '../address.ts'
import { type Check, isCount, isFlag } from '../check.ts'
import { isCountry } from '../metric/label.ts'

/** Primary to worker. */
export type ControlOrder =
  /** To be answered by `connections`. */
  | { readonly kind: 'list'; readonly request: number }
  /**
   * A line for whoever sits at a terminal of the connection; `stderr`: for programs without one, too. To be answered by
   * `done` with the number of programs that it was written to.
   */
  | {
      readonly kind: 'tell'
      readonly request: number
      readonly ticket: number
      readonly text: string
      readonly stderr: boolean
    }
  /** Ends the connection; `text` is what the client reads. To be answered by `done`, with 0 if it was not there. */
  | { readonly kind: 'expel'; readonly request: number; readonly ticket: number; readonly text: string }
  /**
   * Sends what the session channels of the connection (`channel`: only this one, -1: all) put out, at most
   * WATCH_WINDOW_BYTES and what `watch-more` adds. To be answered by `done`, with 0 if the connection was not there.
   */
  | {
      readonly kind: 'watch'
      readonly request: number
      readonly ticket: number
      readonly watch: number
      readonly channel: number
    }
  | { readonly kind: 'watch-more'; readonly watch: number; readonly bytes: number }
  | { readonly kind: 'unwatch'; readonly watch: number }

/** Worker to primary. */
export type ControlReport =
  /** At most MAX_LISTED; `last`: there are no more. */
  | {
      readonly kind: 'connections'
      readonly request: number
      readonly last: boolean
      readonly connections: readonly ConnectionState[]
    }
  | { readonly kind: 'done'; readonly request: number; readonly count: number }
  /** `stream` 1: standard output, 2: standard error. `lost`: bytes of either, since the last message, that come no more. */
  | {
      readonly kind: 'watched'
      readonly watch: number
      readonly channel: number
      readonly stream: number
      readonly lost: number
      readonly bytes: Uint8Array
    }
  /** The terminal of the channel has this size now. */
  | {
      readonly kind: 'watched-size'
      readonly watch: number
      readonly channel: number
      readonly columns: number
      readonly rows: number
    }

export interface ChannelState {
  readonly channel: number
  /** Of RFC 4254 section 4.9.1. */
  readonly type: string
  /** `shell`, `exec` or `subsystem`; empty: nothing runs in it. */
  readonly program: string
  /** The command, the subsystem, or where a forwarding leads to; at most LONGEST_DETAIL. */
  readonly detail: string
  readonly terminal: boolean
  /** Of the terminal; 0: unknown. */
  readonly columns: number
  readonly rows: number
  /** Its own container or pod; empty: that of the connection. */
  readonly room: string
  readonly receivedBytes: number
  readonly sentBytes: number
}

export interface ConnectionState {
  readonly ticket: number
  readonly connectionId: string
  /** Empty: not authenticated. */
  readonly username: string
  readonly address: string
  readonly port: number
  readonly country: string
  readonly clientVersion: string
  /** Since it came, since it was authenticated (0: it is not), and since data moved. */
  readonly ageMs: number
  readonly authenticatedMs: number
  readonly idleMs: number
  /** Container or pod; empty: not known. */
  readonly room: string
  /** At most MAX_CHANNELS_LISTED of them. */
  readonly channels: readonly ChannelState[]
  readonly channelCount: number
  /** Channel data, over all channels that there have been. */
  readonly receivedBytes: number
  readonly sentBytes: number
}

/** So that a message stays below a frame, whatever the texts are. */
export const MAX_LISTED = 8
export const MAX_CHANNELS_LISTED = 32
export const LONGEST_DETAIL = 256
export const LONGEST_TEXT = 1024
/** What a watch may have sent without `watch-more`, and the most in one message. */
export const WATCH_WINDOW_BYTES = 256 * 1024
export const MAX_WATCHED_BYTES = 64 * 1024

export type Shape = Readonly<Record<string, Check>>

const isMs: Check = (value) => Number.isFinite(value) && (value as number) >= 0
const isChannel: Check = (value) => Number.isSafeInteger(value) && (value as number) >= -1
const textUpTo =
  (longest: number): Check =>
  (value) =>
    typeof value === 'string' && value.length <= longest
const isText = textUpTo(LONGEST_TEXT)
const isDetail = textUpTo(LONGEST_DETAIL)
const isChunk: Check = (value) => value instanceof Uint8Array && value.length <= MAX_WATCHED_BYTES
/** Whatever the value is, its property is looked at by a check that takes anything. */
const hasShape = (value: unknown, shape: Shape): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(shape).every(([name, check]) => Object.hasOwn(value, name) && check((value as never)[name]))
const listOf =
  (most: number, shape: Shape): Check =>
  (value) =>
    Array.isArray(value) && value.length <= most && value.every((one) => hasShape(one, shape))

const channelShape: Shape = {
  channel: isCount,
  type: isDetail,
  program: isDetail,
  detail: isDetail,
  terminal: isFlag,
  columns: isCount,
  rows: isCount,
  room: isDetail,
  receivedBytes: isCount,
  sentBytes: isCount,
}
const connectionShape: Shape = {
  ticket: isCount,
  connectionId: (value) => typeof value === 'string' && /^[0-9a-f]{32}$/.test(value),
  username: isDetail,
  address: (value) => typeof value === 'string' && canonicalAddress(value) === value,
  port: isCount,
  country: isCountry,
  clientVersion: isDetail,
  ageMs: isMs,
  authenticatedMs: isMs,
  idleMs: isMs,
  room: isDetail,
  channels: listOf(MAX_CHANNELS_LISTED, channelShape),
  channelCount: isCount,
  receivedBytes: isCount,
  sentBytes: isCount,
}

export const controlOrders: { readonly [K in ControlOrder['kind']]: Shape } = {
  list: { request: isCount },
  tell: { request: isCount, ticket: isCount, text: isText, stderr: isFlag },
  expel: { request: isCount, ticket: isCount, text: isText },
  watch: { request: isCount, ticket: isCount, watch: isCount, channel: isChannel },
  'watch-more': { watch: isCount, bytes: isCount },
  unwatch: { watch: isCount },
}
export const controlReports: { readonly [K in ControlReport['kind']]: Shape } = {
  connections: { request: isCount, last: isFlag, connections: listOf(MAX_LISTED, connectionShape) },
  done: { request: isCount, count: isCount },
  watched: {
    watch: isCount,
    channel: isCount,
    stream: (value) => value === 1 || value === 2,
    lost: isCount,
    bytes: isChunk,
  },
  'watched-size': { watch: isCount, channel: isCount, columns: isCount, rows: isCount },
}
