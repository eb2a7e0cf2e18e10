import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { rowsOf } from '../../bench/question.ts'
import { compare, comparisonText } from '../../bench/report/compare.ts'
import { fromJson, merge, type Result, toJson } from '../../bench/report/result.ts'

interface Given {
  readonly name?: string
  readonly label?: string
  readonly better?: 'lower' | 'higher'
  readonly machine?: string
}

/** A run in which sshd needs 10 in each round. */
function runOf(ours: readonly number[], given: Given = {}): Result {
  const { name = 'login', label = 'CPU', better = 'lower', machine = 'M' } = given
  const samples = new Map([
    ['ours', new Map([['cpu', ours]])],
    ['sshd', new Map([['cpu', ours.map(() => 10)]])],
  ])
  const rows = rowsOf(samples, [{ figure: 'cpu', label, unit: 'ms', better, target: 0.05 }])
  const question = { name, title: 'T', about: 'A.' }
  const answered = [{ question, answer: { rows, notes: ['N.'] }, date: 'D' }]
  return { date: 'D', quick: false, machine: [machine], servers: new Map([['sshd', 'S']]), answered, missing: [] }
}

describe('a run beside the baseline', () => {
  const baseline = runOf([1, 1.05, 0.95])

  test('what is slower by more than the rounds of both runs vary is a regression', () => {
    const { compared, regressions, improvements } = compare(baseline, runOf([1.4, 1.45, 1.35]))
    assert.equal(compared, 1)
    assert.deepEqual(improvements, [])
    assert.deepEqual(regressions, ['login: CPU, to sshd: 0.100 in the baseline, 0.140 in this run'])
  })
  test('what is faster by as much is none, and told', () => {
    const { regressions, improvements } = compare(baseline, runOf([0.7, 0.72, 0.68]))
    assert.deepEqual([regressions.length, improvements.length], [0, 1])
  })
  test('where more is better, less is a regression', () => {
    const less = [runOf([1, 1, 1], { better: 'higher' }), runOf([0.5, 0.5, 0.5], { better: 'higher' })] as const
    assert.equal(compare(...less).regressions.length, 1)
    assert.equal(compare(less[1], less[0]).regressions.length, 0)
  })
  test('a median that is worse within what the rounds vary by is noise', () => {
    assert.deepEqual(compare(baseline, runOf([1.3, 1.0, 1.6])).regressions, [])
    assert.deepEqual(compare(runOf([1, 0.6, 1.6]), runOf([1.5, 1.55, 1.45])).regressions, [])
  })
  test('absolute figures do not matter: a machine on which both sides are slower is as good', () => {
    const slow = runOf([1, 1, 1])
    const twice = new Map([
      ['ours', new Map([['cpu', [2, 2, 2]]])],
      ['sshd', new Map([['cpu', [20, 20, 20]]])],
    ])
    const rows = rowsOf(twice, [{ figure: 'cpu', label: 'CPU', unit: 'ms' }])
    const answered = slow.answered.map((one) => ({ ...one, answer: { rows, notes: [] } }))
    assert.deepEqual(compare(slow, { ...slow, machine: ['another'], answered }).regressions, [])
  })
  test('what cannot be compared is told: another machine, a new question, a missing row, too few rounds', () => {
    assert.match(compare(baseline, runOf([1, 1, 1], { machine: 'X' })).remarks.join(), /another machine: M/)
    assert.match(compare(baseline, runOf([1, 1, 1], { name: 'bulk' })).remarks.join(), /bulk: not in the baseline/)
    assert.match(compare(baseline, runOf([1, 1, 1], { label: 'L' })).remarks.join(), /CPU, to sshd: not in this run/)
    assert.match(compare(baseline, runOf([5, 5])).remarks.join(), /fewer than 3 rounds/)
  })
  test('the text begins with the counts and names each regression', () => {
    const text = comparisonText(compare(baseline, runOf([3, 3, 3])))
    assert.match(text, /^Against the baseline: 1 ratios compared, 1 worse beyond the noise, 0 better/)
    assert.match(text, /Worse:\n {2}login: CPU, to sshd/)
  })
})

describe('a result as JSON', () => {
  test('is read as what it was written from', () => {
    const run = runOf([1, 2, 3])
    assert.deepEqual(fromJson(toJson(run), 'file'), run)
  })
  test('keeps figures that are none', () => {
    const [row] = fromJson(toJson(runOf([Number.NaN])), 'file').answered[0]?.answer.rows ?? []
    assert.ok(Number.isNaN(row?.sides.get('ours')?.median))
  })
  test('that is something else is refused, with its name and the place', () => {
    assert.throws(() => fromJson('{', 'base.json'), /base\.json is not JSON/)
    assert.throws(() => fromJson('{"date":1}', 'base.json'), /base\.json is no result of the bench: .*date/s)
  })
  test('new answers take the place of old ones to the same questions, in the order of the questions', () => {
    const old = merge(runOf([1], { name: 'a' }), runOf([2], { name: 'b' }), ['a', 'b'])
    const both = merge(old, runOf([3], { name: 'a' }), ['b', 'a'])
    const medians = both.answered.map(({ question, answer }) => [
      question.name,
      answer.rows[0]?.sides.get('ours')?.median,
    ])
    assert.deepEqual(medians, [
      ['b', 2],
      ['a', 3],
    ])
    assert.throws(() => merge(old, runOf([1], { machine: 'X' }), ['a']), /another machine/)
  })
})
