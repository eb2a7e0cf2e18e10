/** The outcome of a run, and its form as JSON, which is read again as the baseline. */
import * as z from 'zod'
import type { Answer, Question, Row } from '../question.ts'
import type { Winners } from './winners.ts'

export interface Answered {
  readonly question: Pick<Question, 'name' | 'title' | 'about'>
  readonly answer: Answer
  /** ISO 8601. */
  readonly date: string
}

/** A question without an answer. */
export interface Missing {
  readonly name: string
  readonly why: string
}

export interface Result {
  /** ISO 8601. */
  readonly date: string
  readonly quick: boolean
  readonly machine: readonly string[]
  readonly servers: ReadonlyMap<string, string>
  readonly answered: readonly Answered[]
  /** What was asked and has no answer: the run is a part of what it was to be. */
  readonly missing: readonly Missing[]
  /** Whether a second run in a row had the same winners. */
  readonly winners?: Winners | undefined
}

export function toJson(result: Result): string {
  const plain = {
    date: result.date,
    quick: result.quick,
    machine: result.machine,
    servers: Object.fromEntries(result.servers),
    partial: result.missing.length > 0,
    missing: result.missing,
    ...(result.winners && { winners: result.winners }),
    questions: result.answered.map(({ question: { name, title, about }, answer, date }) => ({
      name,
      title,
      about,
      date,
      notes: answer.notes,
      rows: answer.rows.map(plainRow),
    })),
  }
  return `${JSON.stringify(plain, undefined, 2)}\n`
}

const plainRow = (row: Row): object => ({
  label: row.label,
  unit: row.unit,
  better: row.better,
  targets: Object.fromEntries(row.targets),
  limit: row.limit ?? null,
  otherShare: row.otherShare,
  sides: Object.fromEntries(row.sides),
  ratios: Object.fromEntries(row.ratios),
})

/** JSON has no NaN. */
const figure = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN)
const summary = z.object({ median: figure, min: figure, max: figure, samples: z.array(figure) })
const byName = <T extends z.ZodType>(schema: T) =>
  z.record(z.string(), schema).transform((given) => new Map(Object.entries(given)))
const row = z.object({
  label: z.string(),
  unit: z.string(),
  better: z.enum(['lower', 'higher']),
  targets: byName(z.number()),
  limit: z
    .number()
    .nullable()
    .transform((value) => value ?? undefined),
  otherShare: z.number(),
  sides: byName(summary),
  ratios: byName(summary),
})
const asked = z.object({
  name: z.string(),
  title: z.string(),
  about: z.string(),
  date: z.string(),
  notes: z.array(z.string()),
  rows: z.array(row),
})
const stored = z.object({
  date: z.string(),
  quick: z.boolean(),
  machine: z.array(z.string()),
  servers: byName(z.string()),
  missing: z.array(z.object({ name: z.string(), why: z.string() })).default([]),
  winners: z
    .object({ same: z.number(), flips: z.array(z.string()), ties: z.array(z.string()), remarks: z.array(z.string()) })
    .optional(),
  questions: z.array(asked),
})

/** Throws an Error that names the place when the text is no result of a run. */
export function fromJson(text: string, where: string): Result {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new Error(`${where} is not JSON`, { cause })
  }
  const parsed = stored.safeParse(value)
  if (!parsed.success) throw new Error(`${where} is no result of the bench: ${z.prettifyError(parsed.error)}`)
  const { questions, winners, ...rest } = parsed.data
  return {
    ...rest,
    ...(winners && { winners }),
    answered: questions.map(({ name, title, about, date, notes, rows }) => {
      return { question: { name, title, about }, answer: { rows, notes }, date }
    }),
  }
}

/**
 * The answers of `fresh` in place of those that `old` has to the same questions, in the order of `names`. Throws an Error
 * when they are of different machines.
 */
export function merge(old: Result, fresh: Result, names: readonly string[]): Result {
  if (old.machine.join() !== fresh.machine.join())
    throw new Error(`the report is of another machine (${old.machine.join('; ')}): it takes a whole run to replace it`)
  const answers = [...old.answered, ...fresh.answered]
  const last = new Map(answers.map((answered) => [answered.question.name, answered]))
  const servers = new Map([...old.servers, ...fresh.servers])
  const missing = fresh.missing.filter(({ name }) => !last.has(name))
  // Two runs in a row are of one and the same whole.
  const { winners: _, ...rest } = fresh
  return { ...rest, servers, missing, answered: names.flatMap((name) => last.get(name) ?? []) }
}
