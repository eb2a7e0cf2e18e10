/** The report: every table, what was measured and how. */
import type { Result } from './result.ts'
import { markdownTable } from './table.ts'
import { winnersMarkdown } from './winners.ts'

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
    partialText(result),
    result.machine.map((line) => `- ${line}`).join('\n'),
    servers.join('\n'),
    'All servers run at the same time and are measured in turn, on the same machine as the load generator. Figures are ' +
      'medians over the rounds. *Ratio* is ours over the other; *range* holds the smallest and the largest ratio within one ' +
      'round. *Level*: the range spans 1 (of fewer than three rounds: the ratio is within a quarter of 1), and neither side ' +
      'wins. CPU time is user and system time of all processes of a server, from /proc. *Noisy*: the range is wider than ' +
      '±25 %, or other processes used more than 10 % of the machine.',
    `![Ratios](${plot})`,
    ...sections,
    result.winners === undefined ? '' : `## Twice in a row\n\n${winnersMarkdown(result.winners)}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n')}\n`
}

function partialText({ missing }: Result): string {
  if (missing.length === 0) return ''
  return ['**A partial run**, without:', '', ...missing.map(({ name, why }) => `- ${name}: ${oneLine(why)}`)].join('\n')
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()

/** What was answered earlier belongs to another run. */
const oneRunMs = 1_200_000

/** A part of the report may have been measured anew. */
const measured = (date: string, result: Result): string =>
  Math.abs(Date.parse(result.date) - Date.parse(date)) > oneRunMs ? `Measured on ${date}.` : ''
