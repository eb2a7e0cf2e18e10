/** What failed, once more at the end of a run: the place of the failure is thousands of lines above. */
import { relative } from 'node:path'
import type { EventData } from 'node:test'
import { inspect } from 'node:util'

const mostLines = 60

/** `file:line: name` and the error under it, shortened. */
export function failureText(event: EventData.TestFail, root: string): string {
  const file = event.file === undefined ? '' : `${relative(root, event.file)}:${event.line ?? 0}: `
  const { error } = event.details
  const lines = inspect(error.cause ?? error, { depth: 3, breakLength: 120 }).split('\n')
  const more = lines.length - mostLines
  const shown = more > 0 ? [...lines.slice(0, mostLines), `… ${more} more lines`] : lines
  return [`✖ ${file}${event.name}`, ...shown.map((line) => `    ${line}`), ''].join('\n')
}
