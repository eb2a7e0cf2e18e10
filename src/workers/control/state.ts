/** What operators are told of a connection. Texts are those of strangers, shortened; commands as audit logs hold them. */
import {
  type ChannelState,
  type ConnectionState,
  LONGEST_DETAIL,
  MAX_CHANNELS_LISTED,
} from '../../shared/ipc/control.ts'
import type { ChannelEnd } from '../ssh/channel-end.ts'
import type { Link } from '../ssh/link.ts'

type Redact = (text: string) => string

export function stateOf(link: Link, redacted: Redact): ConnectionState {
  const { ticket, peer, member, service, session } = link
  const now = performance.now()
  const channels = [...(service?.channels.values() ?? [])]
  const room = session?.room?.() ?? ''
  return {
    ticket,
    connectionId: peer.connectionId,
    username: shortened(member?.username ?? ''),
    address: peer.remoteAddress,
    port: peer.remotePort,
    country: peer.country,
    clientVersion: shortened(peer.clientVersion),
    ageMs: now - link.startMs,
    authenticatedMs: service === undefined ? 0 : now - link.phaseMs,
    idleMs: service?.traffic.idleMs(service.activity) ?? 0,
    room: shortened(room),
    channels: channels.slice(0, MAX_CHANNELS_LISTED).map((channel) => channelOf(channel, room, redacted)),
    channelCount: channels.length,
    ...(service?.traffic.total(channels) ?? { receivedBytes: 0, sentBytes: 0 }),
  }
}

function channelOf({ id, type, doing, input, output }: ChannelEnd, room: string, redacted: Redact): ChannelState {
  const own = doing.room ?? ''
  return {
    channel: id,
    type: shortened(type),
    program: doing.program,
    detail: shortened(redacted(doing.detail)),
    terminal: doing.size !== undefined,
    columns: doing.size?.columns ?? 0,
    rows: doing.size?.rows ?? 0,
    room: own === room ? '' : shortened(own),
    receivedBytes: input.receivedBytes,
    sentBytes: output.sentBytes,
  }
}

const shortened = (text: string): string =>
  text.length <= LONGEST_DETAIL ? text : `${text.slice(0, LONGEST_DETAIL - 1)}…`
