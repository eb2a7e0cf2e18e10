/** `containerssh audit TOOL …`: what the words after `audit` mean. */
import { nearest } from '../../shared/config/problems.ts'
import { channelOf, type Filter, type Flag, filterOf, switches, timeFlag, type Values } from './flags.ts'

/** A file is `-` for standard input. `identity`: file with what opens encrypted logs. */
export type AuditAction = { readonly identity?: string | undefined } & (
  | DecodeAction
  | { readonly tool: 'cast' | 'text'; readonly file: string; readonly channel: string | undefined }
  | { readonly tool: 'follow'; readonly file: string; readonly channel: string | undefined; readonly cast: boolean }
  | { readonly tool: 'html' | 'decrypt'; readonly file: string }
  /** `output`: folder for contents. */
  | { readonly tool: 'files'; readonly file: string; readonly output: string | undefined }
  | { readonly tool: 'grep'; readonly pattern: string; readonly files: readonly string[] }
  | { readonly tool: 'info'; readonly files: readonly string[] }
  /** `key`: a file, or a line, with public keys of the host. */
  | { readonly tool: 'verify'; readonly files: readonly string[]; readonly key: string | undefined }
)
export interface DecodeAction {
  readonly tool: 'decode'
  readonly file: string
  /** As the Go program's decoder, mistakes included. */
  readonly compat: boolean
  readonly follow: boolean
  readonly recover: boolean
  /** With readable times. */
  readonly time: boolean
  readonly filter: Filter
}

export const auditUsage = `  audit decode [FLAGS] FILE            an audit log as JSON, one message a line
        --type NAME,... --channel N --since TIME --until TIME    only these
        --time rfc3339                                           with readable times
        --follow | --recover | --compat     as it grows | around damage | as the Go program's decoder
  audit cast [--channel N] FILE        a session channel as an asciicast
  audit text [--channel N] FILE        what was on the screens of sessions, without control sequences
  audit follow [--channel N] [--cast] FILE      the same while the log grows, until its end
  audit html FILE                      a page that replays all sessions, in one file
  audit grep PATTERN FILE...           lines of screens and input, commands and names that match (RE2 syntax)
  audit info FILE...                   who, when, what: one JSON object for each log
  audit files [--output FOLDER] FILE   what SFTP and scp copied, with SHA-256, as JSON; and the contents
  audit verify [--key KEYS] FILE...    whether logs are as they were written; KEYS: known_hosts line or file
  audit decrypt FILE                   an encrypted log, decrypted
    A FILE can be - for standard input; all take --identity FILE, with what opens encrypted logs.
    Exit status: 0 well; 1 something was wrong with a log; 2 wrong arguments. grep: 0 found, 1 nothing found, 2 wrong.
    verify: 0 intact and signed, 1 damaged, 3 signed by another key, 4 incomplete, 5 unprotected, 6 intact, not signed;
    of several logs the lowest that is not 0.
`

const tools = ['decode', 'cast', 'text', 'follow', 'html', 'grep', 'info', 'files', 'verify', 'decrypt'] as const
type ToolName = (typeof tools)[number]
const flagsOf: Readonly<Record<ToolName, readonly Flag[]>> = {
  decode: ['compat', 'follow', 'recover', 'type', 'channel', 'since', 'until', 'time'],
  cast: ['channel'],
  text: ['channel'],
  follow: ['channel', 'cast'],
  html: [],
  grep: [],
  info: [],
  files: ['output'],
  verify: ['key'],
  decrypt: [],
}

export type AuditWords =
  | { readonly kind: 'audit'; readonly action: AuditAction }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string }

export function parseAuditArguments(words: readonly string[]): AuditWords {
  const action = actionOf(words)
  if (action === help) return { kind: 'help' }
  return typeof action === 'string' ? { kind: 'wrong', message: action } : { kind: 'audit', action }
}

const help = Symbol('help')
const helpFlags = ['-h', '-help', '--help']

/** A text: what is wrong with the words. */
function actionOf(words: readonly string[]): AuditAction | typeof help | string {
  const [name = '', ...rest] = words
  if (helpFlags.includes(name)) return help
  const tool = tools.find((known) => known === name)
  if (tool === undefined) {
    const meant = nearest(name, tools)
    return `audit needs one of ${tools.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`
  }
  const given = collect(tool, rest)
  if (typeof given === 'string' || given === help) return given
  const action = ofTool(tool, given)
  const identity = given.values.get('identity')
  return typeof action === 'string' || identity === undefined ? action : { ...action, identity }
}

function ofTool(tool: ToolName, { operands, values }: Given): AuditAction | string {
  const [file, ...others] = operands
  switch (tool) {
    case 'grep':
      if (file === undefined || others.length === 0) return 'audit grep needs a pattern and at least one file'
      return { tool, pattern: file, files: others }
    case 'info':
    case 'verify': {
      if (file === undefined) return `audit ${tool} needs at least one file`
      return tool === 'info' ? { tool, files: operands } : { tool, files: operands, key: values.get('key') }
    }
    default:
  }
  if (file === undefined || others.length > 0) return `audit ${tool} needs exactly one file`
  if (tool === 'decode') return decodeAction(file, values)
  if (tool === 'files') return { tool, file, output: values.get('output') }
  if (tool === 'html' || tool === 'decrypt') return { tool, file }
  const channel = channelOf(values)
  if (typeof channel === 'string') return channel
  if (tool === 'follow') return { tool, file, channel: channel.value, cast: values.has('cast') }
  return { tool, file, channel: channel.value }
}

function decodeAction(file: string, values: Values): AuditAction | string {
  const filter = filterOf(values)
  if (typeof filter === 'string') return filter
  const time = timeFlag(values)
  if (typeof time === 'string') return time
  const [compat, follow, recover] = [values.has('compat'), values.has('follow'), values.has('recover')]
  if ([compat, follow, recover].filter((each) => each).length > 1) {
    return 'audit decode takes one of --compat, --follow and --recover'
  }
  // Before a log of version 1 is printed, that decoder has read all of it.
  if (compat && file === '-') return 'audit decode --compat cannot read standard input'
  return { tool: 'decode', file, compat, follow, recover, time: time.value, filter: filter.value }
}

interface Given {
  readonly operands: readonly string[]
  readonly values: Values
}

/** After `--`, and of patterns and files, everything is taken as it is. */
function collect(tool: ToolName, words: readonly string[]): Given | typeof help | string {
  const operands: string[] = []
  const values = new Map<Flag, string>()
  const rest = [...words]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') return { operands: [...operands, ...rest], values }
    if (helpFlags.includes(word)) return help
    const [, name = '', value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word) ?? []
    if (name === '') {
      operands.push(word)
      continue
    }
    const flag = [...flagsOf[tool], 'identity' as const].find((known) => known === name)
    if (flag === undefined) return `unknown flag of audit ${tool}: --${name}`
    if (switches.some((known) => known === flag)) {
      if (value !== undefined) return `flag --${flag} takes no value`
      values.set(flag, '')
      continue
    }
    const found = value ?? rest.shift()
    if (found === undefined) return `flag --${flag} needs a value`
    const before = values.get(flag)
    values.set(flag, flag === 'type' && before !== undefined ? `${before},${found}` : found)
  }
  return { operands, values }
}
