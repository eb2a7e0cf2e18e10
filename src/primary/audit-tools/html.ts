/** `containerssh audit html`: written as the log is read, so that no log is too large for it. */
import { type Cast, createCast } from '../../shared/audit/cast.ts'
import type { AuditRecord, Uint64 } from '../../shared/audit/record.ts'
import { sessionChannelOf } from '../../shared/audit/session-channel.ts'
import { pageFrame } from './page-frame.ts'
import { createSummarizer } from './summary.ts'
import type { Tool } from './tool.ts'

interface Channel {
  readonly cast: Cast
  /** A subsystem speaks a protocol, which is nothing to see. */
  isText: boolean
  /** Number of the request that a terminal was given for. */
  terminal: Uint64 | undefined
  lines: string
}

export async function html(tool: Tool, file: string): Promise<void> {
  const frame = await pageFrame()
  const summarizer = createSummarizer()
  const channels = new Map<string, Channel>()
  const parts = (): string => {
    let written = ''
    for (const [name, channel] of channels) {
      if (channel.lines !== '') written += frame.part(name, channel.lines)
      channel.lines = ''
    }
    return written
  }
  let hasBegun = false
  for await (const batch of tool.read(file)) {
    for (const item of batch) {
      if (item.kind === 'problem') tool.complain(file, item.problem)
      if (item.kind !== 'record') continue
      summarizer.add(item.record)
      addTo(channels, item.record)
    }
    const written = parts()
    if (written !== '' && !hasBegun) {
      hasBegun = true
      await tool.print(frame.begin)
    }
    await tool.print(written)
    if (tool.isClosed) return
  }
  for (const channel of channels.values()) channel.lines += channel.cast.end()
  const summary = summarizer.end()
  // Of what is no log there is no page.
  if (summary.messages === 0 && tool.hasComplained) return
  if (!hasBegun) await tool.print(frame.begin)
  await tool.print(parts() + frame.end(summary))
}

function addTo(channels: Map<string, Channel>, record: AuditRecord): void {
  if (record.channelId === null) return
  const name = String(record.channelId)
  let channel = channels.get(name)
  if (channel === undefined) {
    if (sessionChannelOf(record) === undefined) return
    channel = { cast: createCast(), isText: true, terminal: undefined, lines: '' }
    channels.set(name, channel)
  }
  if (record.type === 'subsystem') channel.isText = false
  if (record.type === 'pty') channel.terminal = record.payload.requestId
  if (record.type === 'request_failed' && record.payload.requestId === channel.terminal) channel.terminal = undefined
  if (record.type !== 'io' || channel.isText) {
    channel.lines += channel.cast.add(channel.terminal === undefined ? withCarriage(record) : record)
  }
}

/** The page has a terminal: where there was none, it has to be told that a new line begins on the left. */
function withCarriage(record: AuditRecord): AuditRecord {
  if (record.type !== 'io' || record.payload.data === null) return record
  const text = Buffer.from(record.payload.data).toString('latin1')
  const data = Buffer.from(text.replace(/\r?\n/g, '\r\n'), 'latin1')
  return { ...record, payload: { ...record.payload, data } }
}
