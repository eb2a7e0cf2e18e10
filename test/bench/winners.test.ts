import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { rowsOf } from '../../bench/question.ts'
import type { Answered } from '../../bench/report/result.ts'
import { compareWinners, winnersMarkdown, winnersText } from '../../bench/report/winners.ts'

/** One row, ours against 10 of the other side. */
function answerOf(ours: readonly number[], label = 'CPU'): readonly Answered[] {
  const samples = new Map([
    ['ours', new Map([['cpu', ours]])],
    ['sshd', new Map([['cpu', ours.map(() => 10)]])],
  ])
  const rows = rowsOf(samples, [{ figure: 'cpu', label, unit: 'ms' }])
  return [{ question: { name: 'login', title: 'T', about: 'A.' }, answer: { rows, notes: [] }, date: 'D' }]
}
const [ahead, behind, level] = [answerOf([5, 6, 7]), answerOf([14, 15, 16]), answerOf([9, 10, 12])]

describe('two runs in a row', () => {
  test('agree where all rounds of both lie on one side of 1', () => {
    for (const run of [ahead, behind]) {
      const { same, flips, ties } = compareWinners(run, run)
      assert.deepEqual([same, flips, ties], [1, [], []])
    }
  })
  test('another winner beyond the noise is a flip, whoever it was before', () => {
    assert.deepEqual(compareWinners(ahead, behind).flips, ['login: CPU, to sshd: 0.6 (0.5–0.7), then 1.5 (1.4–1.6)'])
    assert.equal(compareWinners(behind, ahead).flips.length, 1)
  })
  test('a range that spans 1 in one of the runs is a tie, and no flip', () => {
    for (const [first, second] of [
      [ahead, level],
      [level, behind],
      [level, level],
    ] as const) {
      const { same, flips, ties } = compareWinners(first, second)
      assert.deepEqual([same, flips.length, ties.length], [0, 0, 1])
    }
  })
  test('medians that lie closely on the two sides of 1 are no flip, however little the rounds vary', () => {
    const { flips, ties } = compareWinners(answerOf([9.5, 9.6, 9.7]), answerOf([10.3, 10.4, 10.5]))
    assert.deepEqual([flips.length, ties.length], [0, 1])
  })
  test('rows of fewer than three rounds, which have no range, win by more than a quarter or not at all', () => {
    assert.equal(compareWinners(answerOf([9]), answerOf([12])).ties.length, 1)
    assert.equal(compareWinners(answerOf([7]), answerOf([14])).flips.length, 1)
  })
  test('rows that only one run has are told', () => {
    const { remarks, same } = compareWinners(ahead, answerOf([5, 6, 7], 'other'))
    assert.deepEqual([remarks.length, same], [2, 0])
    assert.match(remarks.join(), /CPU, to sshd: only in the first run.*other, to sshd: only in the second run/)
  })
  test('a figure that is none has no winner and is no tie', () => {
    const none = answerOf([Number.NaN, Number.NaN, Number.NaN])
    assert.deepEqual(compareWinners(none, none), { same: 0, flips: [], ties: [], remarks: [] })
  })
  test('the texts begin with the counts and list flips and ties apart', () => {
    const winners = compareWinners([...ahead, ...answerOf([9, 10, 12], 'tied')], behind)
    assert.match(winnersText(winners), /^Two runs in a row: 0 ratios with the same winner, 1 with another one beyond/)
    assert.match(winnersText(winners), /Another winner:\n {2}login: CPU, to sshd/)
    assert.match(winnersMarkdown(winners), /Another winner:\n\n- login: CPU, to sshd/)
  })
})
