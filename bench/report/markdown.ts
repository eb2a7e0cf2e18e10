/** The report: every table, what was measured and how. */
import type { Result } from './result.ts'
import { markdownTable } from './table.ts'

export function toMarkdown(result: Result, plot: string): string {
  const servers = [...result.servers].map(([name, about]) => `- **${name}**: ${about}`)
  const sections = result.answered.map((answered) => {
    const { question, answer, date } = answered
    const notes = answer.notes.map((note) => `> ${note}\n`)
    return [`## ${question.title}`, question.about, markdownTable(answered), ...notes, measured(date, result)]
      .filter((part) => part !== '')
      .join('\n\n')
  })
  return `${[
    '# Benchmark report',
    `Written by \`npm run bench${result.quick ? ' -- --quick' : ''}\` on ${result.date}; do not edit.`,
    result.quick ? '**A quick run: it shows that everything works, not how fast it is.**' : '',
    result.machine.map((line) => `- ${line}`).join('\n'),
    servers.join('\n'),
    'All servers run at the same time and are measured in turn, on the same machine as the load generator. Figures are ' +
      'medians over the rounds. *Ratio* is ours over the other; *range* holds the smallest and the largest ratio within one ' +
      'round. CPU time is user and system time of all processes of a server, from /proc. *Noisy*: the range is wider than ' +
      '±25 %, or other processes used more than 10 % of the machine.',
    `![Ratios](${plot})`,
    ...sections,
  ]
    .filter((part) => part !== '')
    .join('\n\n')}\n`
}

/** A part of the report may have been measured anew. */
const measured = (date: string, { answered }: Result): string => {
  const days = new Set(answered.map((one) => one.date.slice(0, 10)))
  return days.size > 1 ? `Measured on ${date}.` : ''
}
