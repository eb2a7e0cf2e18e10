/**
 * `containerssh audit …`: reads audit logs, of any size, without holding them in memory. What can be read is printed; each
 * thing that is wrong is one line of standard error with file, byte, what was expected and what was found.
 *
 * Exit status: 0 well; 1 something was wrong with a file. Of grep: 0 found, 1 nothing found, 2 something was wrong.
 * `decode --compat`: 0 if the file can be opened.
 */
import type { RE2JS } from 're2js'
import type { AuditAction } from './arguments.ts'
import { UnreadableError } from './log-file.ts'
import { createTool, type Tool } from './tool.ts'

/** `tell` takes whole lines for standard error. Resolves to the exit status. */
export async function auditCommand(
  action: AuditAction,
  out: NodeJS.WritableStream,
  tell: (line: string) => void,
): Promise<number> {
  using tool = createTool(out, tell)
  if (action.tool === 'grep') return search(tool, action.pattern, action.files, tell)
  try {
    await run(tool, action)
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error
    tool.complain(action.file, error.message)
  }
  return tool.hasComplained ? 1 : 0
}

async function run(tool: Tool, action: Exclude<AuditAction, { readonly tool: 'grep' }>): Promise<void> {
  switch (action.tool) {
    case 'decode': {
      const { decode, decodeLikeReference } = await import('./decode.ts')
      return action.compat ? decodeLikeReference(tool, action.file) : decode(tool, action.file)
    }
    case 'cast':
      return (await import('./cast.ts')).cast(tool, action.file, action.channel)
    case 'text':
      return (await import('./text.ts')).text(tool, action.file, action.channel)
    default:
      throw new Error(action satisfies never)
  }
}

async function search(
  tool: Tool,
  text: string,
  files: readonly string[],
  tell: (line: string) => void,
): Promise<number> {
  const { grep } = await import('./grep.ts')
  const { RE2JS } = await import('re2js')
  let pattern: RE2JS
  try {
    pattern = RE2JS.compile(text)
  } catch (error) {
    tell(`${JSON.stringify(text)}: expected a regular expression in RE2 syntax, found: ${(error as Error).message}\n`)
    return 2
  }
  const hasFound = await grep(tool, pattern, files)
  if (tool.hasComplained) return 2
  return hasFound ? 0 : 1
}
