import type { Level } from '../log/level.ts'
import { type Code, type Labels, type LabelsOf, rowOf } from './index.ts'

/** What a user reads whenever a row has no text for users: nothing about the inside. */
export const INTERNAL_ERROR = 'Internal Error'

/** Longest text that causes may add to a message, in UTF-16 units; a server's answer may be a whole HTML page. */
const MAX_CAUSE_LENGTH = 2048
/** Longest chain of causes that is followed; a cycle must not hang the log. */
const MAX_CAUSE_DEPTH = 8

/** A failure with a message code. `message` is the sentence for the administrator, `userText` what the user may see. */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly code: Code
  readonly labels: Labels
  readonly userText: string
  /** Of its record, when that is not the row's: an attempt that is repeated is told in a whisper, the last one aloud. */
  readonly level: Level | undefined

  constructor(code: Code, labels: Labels, options?: FaultOptions) {
    // Code and labels say what happened, and nobody prints the stack: it is a third of what a refused attempt costs.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(fill(rowOf(code).says, labels), options)
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
    this.level = options?.level
    this.labels = labels
    this.userText = fill(rowOf(code).user ?? INTERNAL_ERROR, labels)
  }
}

export interface FaultOptions {
  readonly cause?: unknown
  readonly level?: Level
}

/** A failure whose labels the code's row checks. */
export function fault<C extends Code>(code: C, labels: LabelsOf<C>, options?: FaultOptions): Fault {
  return new Fault(code, labels as Labels, options)
}

/** Any thrown value as a fault; what has no code becomes `UNKNOWN_ERROR`. */
export function asFault(error: unknown): Fault {
  return error instanceof Fault ? error : new Fault('UNKNOWN_ERROR', {}, { cause: error })
}

/** The value of a `reason` label: the code of a fault, `UNKNOWN_ERROR` for anything else. */
export const reasonOf = (error: unknown): Code => (error instanceof Fault ? error.code : 'UNKNOWN_ERROR')

/** The sentence with its holes filled. */
export function fill(sentence: string, labels: Labels): string {
  if (!sentence.includes('{')) return sentence
  return sentence.replace(/\{(\w+)\}/g, (_hole, name: string) => String(labels[name] ?? ''))
}

/** The texts of a cause and of its causes, outermost first, each in the parentheses of the one before. No stack traces. */
export function describeCause(cause: unknown): string {
  const text = chain(cause, 0)
  return text.length > MAX_CAUSE_LENGTH ? `${text.slice(0, MAX_CAUSE_LENGTH)}…` : text
}

function chain(cause: unknown, depth: number): string {
  const text = ownText(cause)
  if (!(cause instanceof Error) || cause.cause === undefined || depth >= MAX_CAUSE_DEPTH) return text
  return `${text} (${chain(cause.cause, depth + 1)})`
}

function ownText(cause: unknown): string {
  // Node gives an AggregateError with an empty message when each address of a host name refused.
  if (cause instanceof AggregateError && cause.message === '') {
    return cause.errors.slice(0, MAX_CAUSE_DEPTH).map(ownText).join('; ') || cause.name
  }
  if (cause instanceof Error) return cause.message || cause.name
  try {
    return typeof cause === 'object' ? (JSON.stringify(cause) ?? 'undefined') : String(cause)
  } catch {
    return 'unprintable error'
  }
}
