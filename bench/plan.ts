/** What a run asks, how long it may take, and what the machine has to have: `--plan`. */
import type { Question } from './question.ts'

/** Go's compiler, the images and the programs of the cluster: where all of it is there already. */
export const prepareSeconds = 5

/** Of the whole; questions about other gateways take no time where there are none. */
export const plannedSeconds = (chosen: readonly Question[], hasPeers: boolean): number =>
  prepareSeconds + chosen.reduce((sum, question) => sum + secondsOf(question, hasPeers), 0)

/** Of one question. */
export const secondsOf = ({ seconds, needsPeer }: Question, hasPeers: boolean): number =>
  needsPeer === true && !hasPeers ? 0 : seconds

export function planText(chosen: readonly Question[], hasPeers: boolean): string {
  const width = Math.max(...chosen.map(({ name }) => name.length))
  const line = (name: string, seconds: number, text: string): string =>
    `${name.padEnd(width)}  ${String(seconds).padStart(4)}  ${text}`.trimEnd()
  const needs = ({ needs }: Question): string => (needs === undefined ? '' : ` (needs ${needs})`)
  const whole = plannedSeconds(chosen, hasPeers)
  return [
    `${'question'.padEnd(width)}     s`,
    line('prepare', prepareSeconds, 'What has to be built and is built already'),
    ...chosen.map((question) => line(question.name, secondsOf(question, hasPeers), question.title + needs(question))),
    line('all', whole, `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`),
  ].join('\n')
}
