/**
 * What became of the refused requests of one connection: each has its record, until there are too many in a minute; a
 * client that goes on all the same is disconnected.
 */
import { type Fault, fault } from '../../../shared/codes/fault.ts'
import type { Log } from '../../../shared/log.ts'
import type { ChannelId, Peer, Refused } from '../../ports.ts'

const windowMs = 60_000
/** Times the refusals that are recorded: then the connection ends. */
const patience = 10

export interface Refusals {
  readonly peer: Peer
  readonly username: string
  /** Refusals per window with a record; 0: all. */
  readonly limit: number
  /** Milliseconds of `performance.now()`. */
  since: number
  /** In this window. */
  count: number
}

export const refusalsOf = (peer: Peer, username: string, limit: number): Refusals => ({
  peer,
  username,
  limit,
  since: Number.NEGATIVE_INFINITY,
  count: 0,
})

/** Made when there is something to tell: most connections never need one. */
export const logOf = ({ peer, username }: Refusals, channelId?: ChannelId): Log =>
  peer.log.with({ module: 'backend', username, ...(channelId === undefined ? {} : { channelId }) })

/** Writes the fault's record, if it is to have one. */
export function refuse(refusals: Refusals, why: Fault, channelId?: ChannelId): Refused {
  const { limit } = refusals
  const now = performance.now()
  if (now - refusals.since > windowMs) {
    summarize(refusals)
    refusals.since = now
  }
  refusals.count++
  const { count } = refusals
  if (limit === 0 || count <= limit) logOf(refusals, channelId).fault(why)
  else if (count === limit + 1) logOf(refusals).emit('SECURITY_REFUSALS_MUTED', { limit })
  if (limit === 0 || count <= patience * limit) return { accepted: false, fault: why }
  const end = fault('SECURITY_TOO_MANY_REFUSALS', { count })
  if (count === patience * limit + 1) logOf(refusals).fault(end)
  return { accepted: false, fault: end, final: true }
}

/** The end of a window, or of the connection: how many refusals have no record. */
export function summarize(refusals: Refusals): void {
  const { limit, count } = refusals
  refusals.count = 0
  if (limit > 0 && count > limit) logOf(refusals).emit('SECURITY_REFUSALS_SUMMARY', { count: count - limit })
}
