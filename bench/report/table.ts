/** Tables of text: aligned for the terminal, with pipes for Markdown. */
import { heading, lines } from './format.ts'
import type { Answered } from './result.ts'

export function terminalTable({ question, answer }: Answered): string {
  const table = [[...heading], ...lines(answer.rows)]
  const widths = heading.map((_, column) => Math.max(...table.map((line) => [...(line[column] ?? '')].length)))
  const text = table.map((line) =>
    line
      .map((cell, column) => {
        const blank = ' '.repeat((widths[column] ?? 0) - [...cell].length)
        return isNumeric(column) ? blank + cell : cell + blank
      })
      .join('  ')
      .trimEnd(),
  )
  return [question.title, ...text, ...answer.notes].join('\n')
}

export function markdownTable({ answer }: Answered): string {
  const rule = heading.map((_, column) => (isNumeric(column) ? '--:' : ':--'))
  return [heading, rule, ...lines(answer.rows)].map((line) => `| ${line.join(' | ')} |`).join('\n')
}

const isNumeric = (column: number): boolean => ['ours', 'figure', 'ratio', 'range'].includes(heading[column] ?? '')
