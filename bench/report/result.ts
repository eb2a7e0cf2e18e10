/** The outcome of a run and its form as JSON. */
import type { Answer, Question } from '../question.ts'
import type { Summary } from '../stats.ts'

export interface Answered {
  readonly question: Question
  readonly answer: Answer
}

export interface Result {
  /** ISO 8601. */
  readonly date: string
  readonly quick: boolean
  readonly machine: readonly string[]
  readonly servers: ReadonlyMap<string, string>
  readonly answered: readonly Answered[]
}

export function toJson(result: Result): string {
  const summaries = (map: ReadonlyMap<string, Summary>) => Object.fromEntries(map)
  const plain = {
    date: result.date,
    quick: result.quick,
    machine: result.machine,
    servers: Object.fromEntries(result.servers),
    questions: result.answered.map(({ question, answer }) => ({
      name: question.name,
      title: question.title,
      notes: answer.notes,
      rows: answer.rows.map((row) => ({
        label: row.label,
        unit: row.unit,
        better: row.better,
        target: row.target ?? null,
        otherShare: row.otherShare,
        sides: summaries(row.sides),
        ratios: summaries(row.ratios),
      })),
    })),
  }
  return `${JSON.stringify(plain, undefined, 2)}\n`
}
