/** The command line of the bench. */
import type { Question } from './question.ts'

const flags = ['--quick', '--report', '--compare', '--twice', '--plan'] as const
type Flag = (typeof flags)[number]

export interface Order {
  readonly chosen: readonly Question[]
  /** Small amounts: whether everything works, not how fast it is. */
  readonly quick: boolean
  /** The run becomes the committed report and the baseline; that of some questions a part of them. */
  readonly report: boolean
  /** The run is held against the committed baseline. */
  readonly compare: boolean
  /** The whole is run twice in a row, and the winners of both runs have to be the same. */
  readonly twice: boolean
  /** Nothing is run: what there is to be asked, and how long it takes. */
  readonly plan: boolean
}

/** Throws an Error that names what is wrong and what there is. */
export function parseArguments(args: readonly string[], questions: readonly Question[]): Order {
  const given = args.filter((arg) => arg.startsWith('--'))
  const unknownFlag = given.find((arg) => !flags.some((flag) => flag === arg))
  if (unknownFlag !== undefined) throw new Error(`there is no option "${unknownFlag}"; there are ${flags.join(', ')}`)
  const names = args.filter((arg) => !arg.startsWith('--'))
  const unknown = names.find((name) => !questions.some((question) => question.name === name))
  if (unknown !== undefined)
    throw new Error(`there is no question "${unknown}"; there are ${questions.map(({ name }) => name).join(', ')}`)
  const has = (flag: Flag): boolean => given.includes(flag)
  if (has('--quick') && (has('--report') || has('--compare')))
    throw new Error('a quick run has no figures to report or to compare: --quick goes with neither')
  const chosen = questions.filter(({ name }) => names.length === 0 || names.includes(name))
  return {
    chosen,
    quick: has('--quick'),
    report: has('--report'),
    compare: has('--compare'),
    twice: has('--twice'),
    plan: has('--plan'),
  }
}
