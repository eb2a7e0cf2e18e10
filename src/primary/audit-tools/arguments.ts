/** `containerssh audit TOOL …`: what the words after `audit` mean. */
import { nearest } from '../../shared/config/problems.ts'

export type AuditAction =
  /** `compat`: as the Go program's decoder, mistakes included. */
  | { readonly tool: 'decode'; readonly file: string; readonly compat: boolean }
  | { readonly tool: 'cast' | 'text'; readonly file: string; readonly channel: string | undefined }
  | { readonly tool: 'grep'; readonly pattern: string; readonly files: readonly string[] }

export const auditUsage = `  audit decode [--compat] FILE         an audit log as JSON, one message a line
  audit cast [--channel N] FILE        a session channel as an asciicast
  audit text [--channel N] FILE        what was on the screens of sessions, without control sequences
  audit grep PATTERN FILE...           lines of screens and input, commands and names that match (RE2 syntax)
`

const tools = ['decode', 'cast', 'text', 'grep'] as const
const flagsOf: Readonly<Record<(typeof tools)[number], readonly string[]>> = {
  decode: ['compat'],
  cast: ['channel'],
  text: ['channel'],
  grep: [],
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
  const [file, ...others] = given.operands
  if (tool === 'grep') {
    if (file === undefined || others.length === 0) return 'audit grep needs a pattern and at least one file'
    return { tool, pattern: file, files: others }
  }
  if (file === undefined || others.length > 0) return `audit ${tool} needs exactly one file`
  if (tool === 'decode') return { tool, file, compat: given.compat }
  return { tool, file, channel: given.channel }
}

interface Given {
  readonly operands: string[]
  channel: string | undefined
  compat: boolean
}

/** After `--`, and of patterns and files, everything is taken as it is. */
function collect(tool: (typeof tools)[number], words: readonly string[]): Given | typeof help | string {
  const given: Given = { operands: [], channel: undefined, compat: false }
  const rest = [...words]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      given.operands.push(...rest)
      return given
    }
    if (helpFlags.includes(word)) return help
    const flag = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word)
    if (flag === null) {
      given.operands.push(word)
      continue
    }
    const [, name = '', value] = flag
    if (!flagsOf[tool].includes(name)) return `unknown flag of audit ${tool}: --${name}`
    if (name === 'compat') {
      if (value !== undefined) return 'flag --compat takes no value'
      given.compat = true
      continue
    }
    const channel = value ?? rest.shift()
    if (channel === undefined || !/^\d{1,20}$/.test(channel)) return 'flag --channel needs the number of a channel'
    given.channel = BigInt(channel).toString()
  }
  return given
}
