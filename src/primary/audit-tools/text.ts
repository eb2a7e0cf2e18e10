/** `containerssh audit text`. */
import { sessionChannelOf } from '../../shared/audit/session-channel.ts'
import { createScreens, type ScreenLine } from './screens.ts'
import type { Tool } from './tool.ts'

/** `isLive`: lines are printed as they are written, and not when they leave the screen. */
export async function text(tool: Tool, file: string, channel: string | undefined, isLive = false): Promise<void> {
  let lines = ''
  let isThere = false
  const take = (line: ScreenLine): void => {
    lines += `${line.text}\n`
  }
  const screens = createScreens(take, { withInput: false, isLive })
  const print = (): Promise<void> | undefined => {
    const taken = lines
    lines = ''
    return tool.print(taken)
  }
  for await (const batch of tool.read(file)) {
    for (const item of batch) {
      if (item.kind === 'problem') tool.complain(file, item.problem)
      if (item.kind !== 'record' || (channel !== undefined && String(item.record.channelId) !== channel)) continue
      isThere ||= sessionChannelOf(item.record) !== undefined
      screens.add(item.record)
    }
    await print()
    if (tool.isClosed) return
  }
  screens.close()
  await print()
  if (channel !== undefined && !isThere && !tool.hasComplained) {
    tool.complain(file, `expected session channel ${channel}, found none`)
  }
}
