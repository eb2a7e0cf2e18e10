import { describeCause, type Fault, fill } from './codes/fault.ts'
import { type Code, type Labels, type LabelsOf, rowOf } from './codes/index.ts'
import { type Level, levels } from './log/level.ts'

export type { Code, Labels, LabelsOf } from './codes/index.ts'
export type { Level } from './log/level.ts'

/** One line of the log, before it has a format. Plain data: it travels from a worker to the primary as it is. */
export interface LogRecord {
  readonly level: Level
  readonly code: Code
  readonly message: string
  /** Of the message and of the logger; the logger's win. */
  readonly labels: Labels
  /** Milliseconds since 1970. */
  readonly time: number
}

export interface EmitOptions {
  /** Instead of the level in the code's row. */
  readonly level?: Level | undefined
  /** Its text is appended to the message in parentheses. */
  readonly cause?: unknown
}

/** Writes records that are at least as severe as its level. */
export interface Log {
  readonly level: Level
  enabled(level: Level): boolean
  /** A child: its labels are added to each record and win over the record's own and over the parent's. */
  with(labels: Labels): Log
  /** The same log with another level. */
  at(level: Level): Log
  /** The labels are those that the code's row declares. */
  emit<C extends Code>(code: C, labels: LabelsOf<C>, options?: EmitOptions): void
  /** Writes the record of a fault, causes included, on the given level, its own, or its row's. */
  fault(fault: Fault, level?: Level): void
}

/** A level that may change. */
export interface LevelSwitch {
  level: Level
}
export interface LogOptions {
  readonly level: Level | LevelSwitch
  readonly labels?: Labels
  /** Takes each record that passed the level. Must not throw. */
  write(record: LogRecord): void
}

/** Makes a logger. Nothing is allocated for a record whose level is off. */
export const createLog = ({ level, labels = {}, write }: LogOptions): Log =>
  new Logger(typeof level === 'string' ? { level } : level, labels, write)

/** A class, because a login makes five: an object with a getter and five closures costs ten times as much. */
class Logger implements Log {
  readonly #now: LevelSwitch
  readonly #write: LogOptions['write']
  /** Our own, until the first record: then the parent's are in them, too. */
  #labels: Labels
  #parent: Logger | undefined

  constructor(now: LevelSwitch, labels: Labels, write: LogOptions['write'], parent?: Logger) {
    this.#now = now
    this.#labels = labels
    this.#write = write
    this.#parent = parent
  }

  get level(): Level {
    return this.#now.level
  }

  enabled(asked: Level): boolean {
    return levels[asked] <= levels[this.#now.level]
  }

  with(labels: Labels): Log {
    return new Logger(this.#now, labels, this.#write, this)
  }

  at(level: Level): Log {
    return new Logger({ level }, this.#labels, this.#write, this.#parent)
  }

  #allLabels(): Labels {
    if (this.#parent !== undefined) this.#labels = { ...this.#parent.#allLabels(), ...this.#labels }
    this.#parent = undefined
    return this.#labels
  }

  emit<C extends Code>(code: C, labels: LabelsOf<C>, options?: EmitOptions): void {
    const row = rowOf(code)
    const at = options?.level ?? row.level
    if (this.enabled(at)) this.#put(code, labels as Labels, at, fill(row.says, labels as Labels), options?.cause)
  }

  fault(fault: Fault, asked?: Level): void {
    const at = asked ?? fault.level ?? rowOf(fault.code).level
    if (this.enabled(at)) this.#put(fault.code, fault.labels, at, fault.message, fault.cause)
  }

  #put(code: Code, labels: Labels, level: Level, sentence: string, cause: unknown): void {
    const message = cause === undefined ? sentence : `${sentence} (${describeCause(cause)})`
    this.#write({ level, code, message, labels: mergeLabels(labels, this.#allLabels()), time: Date.now() })
  }
}

/** Labels of the record, overridden by the logger's. Absent optional ones are left out, other values become strings. */
function mergeLabels(record: Labels, logger: Labels): Labels {
  const merged: Record<string, string | number | boolean> = {}
  for (const labels of [record, logger]) {
    for (const name of Object.keys(labels)) {
      const value: unknown = labels[name]
      if (value !== undefined) merged[name] = plain(value)
    }
  }
  return merged
}

/** A label's value as JSON can hold it. The types forbid the rest, but what comes from outside may not keep to them. */
function plain(value: unknown): string | number | boolean {
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (typeof value === 'object' && value !== null) return describeCause(value)
  return String(value)
}
