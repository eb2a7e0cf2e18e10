/** What happened in a connection, in short. */
import type { AuditRecord, Uint64 } from '../../shared/audit/record.ts'
import { timeText } from './time-text.ts'

export interface ChannelSummary {
  readonly channel: string
  /** As in RFC 4254: session, direct-tcpip, … */
  type: string
  /** Where a forwarding goes, or whom it is from. */
  target?: string
  /** What runs: `exec: …`, `subsystem: …` or `shell`. */
  program?: string
  terminal?: string
  exitStatus?: number
  exitSignal?: string
  /** Requests that were refused. */
  refused: number
  readonly bytes: { stdin: number; stdout: number; stderr: number }
}
interface Channel extends ChannelSummary {
  /** Number of the request that `program` is from. */
  asked?: Uint64
}
export interface Summary {
  readonly connectionId: string
  readonly remoteAddr: string
  readonly country: string
  /** Login name, also of one who was refused. */
  readonly username: string
  readonly authenticated: boolean
  /** RFC 3339; empty: there is no message. */
  readonly start: string
  readonly end: string
  readonly seconds: number
  readonly messages: number
  /** The last message is there. */
  readonly ended: boolean
  readonly channels: readonly ChannelSummary[]
  /** Channels that are not listed. */
  readonly moreChannels: number
}
export interface Summarizer {
  add(record: AuditRecord): void
  end(): Summary
}

const mostChannels = 1000
const streams = ['stdin', 'stdout', 'stderr'] as const

export function createSummarizer(): Summarizer {
  const channels = new Map<string, Channel>()
  const others = new Set<string>()
  let [connectionId, remoteAddr, country, username] = ['', '', '', '']
  let [authenticated, ended] = [false, false]
  let messages = 0
  let start: bigint | undefined
  let end = 0n

  const channelOf = (id: Uint64): Channel | undefined => {
    const name = String(id)
    const known = channels.get(name)
    if (known !== undefined) return known
    if (channels.size === mostChannels) {
      if (others.size < 1_000_000) others.add(name)
      return undefined
    }
    const made: Channel = { channel: name, type: '', refused: 0, bytes: { stdin: 0, stdout: 0, stderr: 0 } }
    channels.set(name, made)
    return made
  }
  const addToConnection = (record: AuditRecord): void => {
    if (record.type === 'connect') ({ remoteAddr, country } = record.payload)
    else if (record.type === 'disconnect') ended = true
    else if (record.type === 'handshake_successful') {
      authenticated = true
      username = record.payload.username
    } else if (!authenticated && record.payload !== null && 'username' in record.payload) {
      username = record.payload.username
    }
  }
  return {
    add(record) {
      messages++
      if (messages === 1) connectionId = record.connectionId
      start ??= record.timestamp
      if (record.timestamp > end) end = record.timestamp
      if (record.channelId === null) addToConnection(record)
      else {
        const channel = channelOf(record.channelId)
        if (channel !== undefined) addToChannel(channel, record)
      }
    },
    end() {
      const seconds = Number(end - (start ?? end)) / 1e9
      const times = start === undefined ? { start: '', end: '' } : { start: timeText(start), end: timeText(end) }
      const list = [...channels.values()].map(({ asked: _, ...rest }) => rest)
      const who = { connectionId, remoteAddr, country, username, authenticated }
      return { ...who, ...times, seconds, messages, ended, channels: list, moreChannels: others.size }
    },
  }
}

function addToChannel(channel: Channel, record: AuditRecord): void {
  switch (record.type) {
    case 'new_channel':
    case 'new_channel_successful':
    case 'new_channel_failed':
      channel.type = record.payload.channelType
      if (record.type === 'new_channel_failed') channel.refused++
      return
    case 'io': {
      const stream = streams[Number(record.payload.stream)]
      if (stream !== undefined) channel.bytes[stream] += record.payload.data?.length ?? 0
      return
    }
    case 'exit':
      channel.exitStatus = record.payload.exitStatus
      return
    case 'exit_signal':
      channel.exitSignal = record.payload.signal
      return
    case 'request_failed':
      channel.refused++
      if (channel.asked === record.payload.requestId) delete channel.program
      return
    default:
      addRequest(channel, record)
      addForwarding(channel, record)
  }
}

function addRequest(channel: Channel, record: AuditRecord): void {
  const run = (program: string, asked: Uint64): void => {
    if (channel.program === undefined) Object.assign(channel, { program, asked })
  }
  if (record.type === 'exec') run(`exec: ${record.payload.program}`, record.payload.requestId)
  else if (record.type === 'subsystem') run(`subsystem: ${record.payload.subsystem}`, record.payload.requestId)
  else if (record.type === 'shell') run('shell', record.payload.requestId)
  else if (record.type === 'pty') channel.terminal = record.payload.term
}

function addForwarding(channel: Channel, record: AuditRecord): void {
  switch (record.type) {
    case 'new_channel_direct_tcpip':
      channel.type = 'direct-tcpip'
      channel.target = `${record.payload.HostToConnect}:${record.payload.PortToConnect}`
      break
    case 'new_channel_forwarded_tcpip':
      channel.type = 'forwarded-tcpip'
      channel.target = `${record.payload.ConnectedHost}:${record.payload.ConnectedPort}`
      break
    case 'new_channel_direct_streamlocal':
    case 'new_channel_forwarded_streamlocal':
      channel.type = `${record.type === 'new_channel_direct_streamlocal' ? 'direct' : 'forwarded'}-streamlocal@openssh.com`
      channel.target = record.payload.Path
      break
    case 'new_channel_x11':
      channel.type = 'x11'
      channel.target = `${record.payload.OriginatorHost}:${record.payload.OriginatorPort}`
      break
    default:
  }
}
