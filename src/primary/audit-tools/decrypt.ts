/** `containerssh audit decrypt`: what is in the envelope, whichever the format of the log. */
import { openedLog } from './log-file.ts'
import type { Tool } from './tool.ts'

export async function decrypt(tool: Tool, file: string): Promise<void> {
  const log = openedLog(file, tool.reading)
  for await (const chunk of log.chunks) {
    await tool.print(chunk)
    if (tool.isClosed) return
  }
  if (log.problem !== undefined) tool.complain(file, log.problem)
  else if (log.isWhole === undefined) tool.complain(file, 'expected an encrypted log, found another file')
  else if (!log.isWhole) tool.complain(file, 'the log is cut off: expected its last record, found the end of the file')
}
