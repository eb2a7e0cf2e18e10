/** Which channels of a log are session channels (RFC 4254 section 6): those that a program can run in. */
import type { MessageType } from './catalogue.ts'
import type { AuditRecord, Uint64 } from './record.ts'

const requests: ReadonlySet<MessageType> = new Set<MessageType>([
  'setenv',
  'exec',
  'pty',
  'shell',
  'signal',
  'subsystem',
  'window',
  'x11-req',
])

/** The channel that `record` shows to be a session channel; undefined for all else. */
export function sessionChannelOf(record: AuditRecord): Uint64 | undefined {
  if (record.channelId === null) return undefined
  const isSession =
    requests.has(record.type) || (record.type === 'new_channel_successful' && record.payload.channelType === 'session')
  return isSession ? record.channelId : undefined
}
