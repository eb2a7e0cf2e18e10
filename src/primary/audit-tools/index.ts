/**
 * `containerssh audit …`: reads audit logs, of any size, without holding them in memory. What can be read is printed; each
 * thing that is wrong is one line of standard error with file, byte, what was expected and what was found.
 *
 * Exit status: 0 well; 1 something was wrong with a file. Of grep: 0 found, 1 nothing found, 2 something was wrong.
 * `decode --compat`: 0 if the file can be opened. Of verify: see there.
 */
import type { RE2JS } from 're2js'
import type { AuditAction } from './arguments.ts'
import { readIdentities, UnreadableError } from './log-file.ts'
import { createTool, type Tool } from './tool.ts'

/** `tell` takes whole lines for standard error, `input` is standard input. Resolves to the exit status. */
export async function auditCommand(
  action: AuditAction,
  out: NodeJS.WritableStream,
  tell: (line: string) => void,
  input: AsyncIterable<Uint8Array> = process.stdin,
): Promise<number> {
  const isGrep = action.tool === 'grep'
  let identities: readonly string[]
  try {
    identities = action.identity === undefined ? [] : await readIdentities(action.identity)
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error
    tell(`${action.identity}: ${error.message}\n`)
    return isGrep ? 2 : 1
  }
  const follow = action.tool === 'follow' || (action.tool === 'decode' && action.follow)
  using tool = createTool(out, tell, { identities, follow, recover: action.tool === 'decode' && action.recover, input })
  if (isGrep) return search(tool, action.pattern, action.files, tell)
  if (action.tool === 'verify') return check(tool, action.files, action.key)
  const files = action.tool === 'info' ? action.files : [action.file]
  for (const file of files) {
    try {
      await run(tool, action, file)
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error
      tool.complain(file, error.message)
    }
    if (tool.isClosed) break
  }
  return tool.hasComplained ? 1 : 0
}

type Plain = Exclude<AuditAction, { readonly tool: 'grep' | 'verify' }>

async function run(tool: Tool, action: Plain, file: string): Promise<void> {
  switch (action.tool) {
    case 'decode': {
      const { decode, decodeLikeReference } = await import('./decode.ts')
      return action.compat ? decodeLikeReference(tool, file) : decode(tool, action)
    }
    case 'cast':
      return (await import('./cast.ts')).cast(tool, file, action.channel)
    case 'text':
      return (await import('./text.ts')).text(tool, file, action.channel)
    case 'follow':
      return (await import('./follow.ts')).follow(tool, file, action.channel, action.cast)
    case 'html':
      return (await import('./html.ts')).html(tool, file)
    case 'info':
      return (await import('./info.ts')).info(tool, file)
    case 'files':
      return (await import('./files.ts')).files(tool, file, action.output)
    case 'decrypt':
      return (await import('./decrypt.ts')).decrypt(tool, file)
    default:
      throw new Error(action satisfies never)
  }
}

async function check(tool: Tool, files: readonly string[], key: string | undefined): Promise<number> {
  const { verify } = await import('./verify.ts')
  try {
    return await verify(tool, files, key)
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error
    tool.complain(key ?? '', error.message)
    return 1
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
