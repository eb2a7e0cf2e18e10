/** `containerssh audit grep`. */
import type { RE2JS } from 're2js'
import type { AuditRecord } from '../../shared/audit/record.ts'
import { UnreadableError } from './log-file.ts'
import { createScreens, type ScreenLine } from './screens.ts'
import { timeText } from './time-text.ts'
import type { Tool } from './tool.ts'

/** Returns whether anything was found. The engine takes linear time, because users choose what is searched. */
export async function grep(tool: Tool, pattern: RE2JS, files: readonly string[]): Promise<boolean> {
  let hasFound = false
  for (const file of files) {
    try {
      hasFound = (await grepFile(tool, pattern, file)) || hasFound
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error
      tool.complain(file, error.message)
    }
    if (tool.isClosed) break
  }
  return hasFound
}

async function grepFile(tool: Tool, pattern: RE2JS, file: string): Promise<boolean> {
  let lines = ''
  let hasFound = false
  const offer = (timestamp: bigint, channel: string | undefined, what: string, text: string): void => {
    if (!pattern.test(text)) return
    hasFound = true
    const place = channel === undefined ? '' : ` channel ${channel}`
    lines += `${file}: ${timeText(timestamp)}${place} ${what}: ${printable(text)}\n`
  }
  const print = (): Promise<void> | undefined => {
    const taken = lines
    lines = ''
    return tool.print(taken)
  }
  const take = ({ timestamp, channel, what, text }: ScreenLine): void => offer(timestamp, channel, what, text)
  const screens = createScreens(take, { withInput: true, isLive: false })
  for await (const batch of tool.read(file)) {
    for (const item of batch) {
      if (item.kind === 'problem') tool.complain(file, item.problem)
      if (item.kind !== 'record') continue
      const { record } = item
      const found = textIn(record)
      if (found !== undefined) offer(record.timestamp, record.channelId?.toString(), found.what, found.text)
      screens.add(record)
    }
    await print()
    if (tool.isClosed) return hasFound
  }
  screens.close()
  await print()
  return hasFound
}

/** What is worth to be searched besides the screens. */
function textIn(record: AuditRecord): { readonly what: string; readonly text: string } | undefined {
  switch (record.type) {
    case 'connect':
      return { what: 'from', text: record.payload.remoteAddr }
    case 'handshake_successful':
      return { what: 'user', text: record.payload.username }
    case 'setenv':
      return { what: 'env', text: `${record.payload.name}=${record.payload.value}` }
    case 'exec':
      return { what: 'exec', text: record.payload.program }
    case 'subsystem':
      return { what: 'subsystem', text: record.payload.subsystem }
    case 'new_channel_direct_tcpip':
      return { what: 'forward', text: `${record.payload.HostToConnect}:${record.payload.PortToConnect}` }
    case 'new_channel_direct_streamlocal':
      return { what: 'forward', text: record.payload.Path }
    default:
      return undefined
  }
}

/** The terminal of who searches must not obey what was recorded. */
const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (character) => `\\x${character.charCodeAt(0).toString(16)}`)
