/** `containerssh audit cast`. */
import { type Cast, createCast } from '../../shared/audit/cast.ts'
import { sessionChannelOf } from '../../shared/audit/session-channel.ts'
import type { Tool } from './tool.ts'

/** Channels that the remark names. */
const mostNamed = 10

/** Without `channel`: the first session channel of the log. */
export async function cast(tool: Tool, file: string, channel: string | undefined): Promise<void> {
  let wanted = channel
  let found: Cast | undefined
  const others = new Set<string>()
  for await (const batch of tool.read(file)) {
    let lines = ''
    for (const item of batch) {
      if (item.kind === 'problem') tool.complain(file, item.problem)
      if (item.kind !== 'record') continue
      const session = sessionChannelOf(item.record)?.toString()
      if (session !== undefined) wanted ??= session
      if (session === wanted && session !== undefined) found ??= createCast()
      else if (session !== undefined && others.size <= mostNamed) others.add(session)
      if (String(item.record.channelId) === wanted) lines += found?.add(item.record) ?? ''
    }
    await tool.print(lines)
    if (tool.isClosed) return
  }
  await tool.print(found?.end() ?? '')
  remarkOn(tool, file, wanted, found !== undefined, [...others])
}

function remarkOn(tool: Tool, file: string, wanted: string | undefined, isThere: boolean, others: string[]): void {
  const list = `${others.slice(0, mostNamed).join(', ')}${others.length > mostNamed ? ', …' : ''}`
  if (!isThere) {
    // A log that cannot be read has been complained about.
    if (tool.hasComplained) return
    const what = wanted === undefined ? 'a session channel' : `session channel ${wanted}`
    tool.complain(file, `expected ${what}, found ${others.length === 0 ? 'none' : `only ${list}`}`)
  } else if (others.length > 0) {
    tool.remark(`${file}: this is channel ${wanted}; --channel shows another session: ${list}`)
  }
}
