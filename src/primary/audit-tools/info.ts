/** `containerssh audit info`. */
import { createSummarizer } from './summary.ts'
import type { Tool } from './tool.ts'

/** One JSON object a line. */
export async function info(tool: Tool, file: string): Promise<void> {
  const summarizer = createSummarizer()
  for await (const batch of tool.read(file)) {
    for (const item of batch) {
      if (item.kind === 'problem') tool.complain(file, item.problem)
      if (item.kind === 'record') summarizer.add(item.record)
    }
  }
  const summary = summarizer.end()
  // There is nothing to say about what is no log.
  if (summary.messages > 0 || !tool.hasComplained) await tool.print(`${JSON.stringify({ file, ...summary })}\n`)
}
