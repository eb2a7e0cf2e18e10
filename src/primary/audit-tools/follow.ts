/** `containerssh audit follow`: `text` and `cast` of a log that is still written. */
import { cast } from './cast.ts'
import { text } from './text.ts'
import type { Tool } from './tool.ts'

export async function follow(tool: Tool, file: string, channel: string | undefined, isCast: boolean): Promise<void> {
  if (isCast) await cast(tool, file, channel)
  else await text(tool, file, channel, true)
}
