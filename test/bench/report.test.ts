import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Row, rowsOf } from '../../bench/question.ts'
import { lines, verdict } from '../../bench/report/format.ts'
import { toMarkdown } from '../../bench/report/markdown.ts'
import { toJson } from '../../bench/report/result.ts'
import { toSvg } from '../../bench/report/svg.ts'

const samples = (ours: readonly number[], sshd: readonly number[], otherShare = 0) =>
  new Map([
    ['ours', new Map([['ms', ours]])],
    [
      'sshd',
      new Map([
        ['ms', sshd],
        ['otherShare', [otherShare]],
      ]),
    ],
  ])
function row(...given: Parameters<typeof samples>): Row {
  const [first] = rowsOf(samples(...given), [{ figure: 'ms', label: 'CPU <a>', unit: 'ms', target: 0.5 }])
  assert.ok(first !== undefined)
  return first
}
const verdictOf = (one: Row): string => verdict(one, 'sshd')

describe('the report of a bench', () => {
  test('a ratio at its target has met it, one above has missed it', () => {
    assert.equal(verdictOf(row([5, 5, 5], [10, 10, 10])), 'met')
    assert.equal(verdictOf(row([6, 6, 6], [10, 10, 10])), 'missed')
  })
  test('where more is better, a ratio below its target has missed it', () => {
    const spec = { figure: 'ms', label: 'l', unit: 'MB/s', better: 'higher', target: 0.9 } as const
    const told = [60, 150].map((figure) => lines(rowsOf(samples([figure], [100]), [spec]))[0]?.slice(-2))
    assert.deepEqual(told, [
      ['≥ 0.9', 'missed'],
      ['≥ 0.9', 'met'],
    ])
  })
  test('rounds that do not agree are called noisy, and so is a machine that others used', () => {
    assert.equal(verdictOf(row([2, 4, 9], [10, 10, 10])), 'met, noisy')
    assert.equal(verdictOf(row([4, 4, 4], [10, 10, 10], 0.3)), 'met, noisy')
  })
  test('where the range spans 1 neither side wins, whatever the target says', () => {
    assert.equal(verdictOf(row([9, 10, 11], [10, 10, 10])), 'missed, level')
    assert.equal(verdictOf(row([9, 9, 9], [10, 10, 10])), 'missed')
    assert.equal(verdictOf(row([9], [10])), 'missed, level')
    assert.equal(verdictOf(row([Number.NaN], [10])), '')
  })
  test('a line has both medians, the ratio as a fraction, its range and the target', () => {
    const cells = lines([row([1, 1, 1], [20, 20, 10])])[0]
    assert.deepEqual(cells, ['CPU <a>', 'ms', '1', 'sshd', '20', '0.05 (1/20)', '0.05–0.1', '≤ 0.5', 'met, noisy'])
  })
  test('a side without a figure leaves a line with ours alone', () => {
    const [alone] = rowsOf(new Map([['ours', new Map([['ms', [7]]])]]), [{ figure: 'ms', label: 'l', unit: 'ms' }])
    assert.ok(alone !== undefined)
    assert.deepEqual(lines([alone])[0]?.slice(0, 4), ['l', 'ms', '7', ''])
  })

  const question = {
    name: 'q',
    title: 'T & U',
    about: 'How.',
    seconds: 1,
    run: () => Promise.reject(new Error('not asked')),
  }
  const answer = { rows: [row([5, 5, 5], [10, 10, 10])], notes: ['A note.'] }
  const servers = new Map([['sshd', 'OpenSSH']])
  const result = {
    date: 'D',
    quick: false,
    machine: ['M'],
    servers,
    answered: [{ question, answer, date: 'D' }],
    missing: [],
  }
  test('the plot is well-formed and has one dot per row', () => {
    const svg = toSvg(result)
    assert.equal(svg.match(/<circle /g)?.length, 1)
    assert.ok(svg.includes('CPU &lt;a&gt;'))
    assert.ok(!svg.includes('NaN'))
  })
  test('a target is for sshd where it is one of the sides, and for all of them otherwise', () => {
    const three = new Map(['ours', 'sshd', 'other'].map((name) => [name, new Map([['ms', [name === 'ours' ? 2 : 1]]])]))
    const spec = { figure: 'ms', label: 'l', unit: 'ms', target: 0.5 }
    const marks = (rows: readonly Row[]) => lines(rows).map((cells) => [cells[3], ...cells.slice(-2)])
    assert.deepEqual(marks(rowsOf(three, [spec])), [
      ['sshd', '≤ 0.5', 'missed'],
      ['other', '', ''],
    ])
    assert.deepEqual(marks(rowsOf(three, [{ ...spec, against: 'other' }])), [
      ['sshd', '', ''],
      ['other', '≤ 0.5', 'missed'],
    ])
    three.delete('sshd')
    assert.deepEqual(marks(rowsOf(three, [spec])), [['other', '≤ 0.5', 'missed']])
  })
  test('a limit is for our own figure', () => {
    const told = [0.1, 0.2, Number.NaN].map((value) => {
      const alone = new Map([['ours', new Map([['ms', [value]]])]])
      return lines(rowsOf(alone, [{ figure: 'ms', label: 'l', unit: 'ms', limit: 0.15 }]))[0]?.slice(-2)
    })
    assert.deepEqual(told, [
      ['≤ 0.15 ms', 'met'],
      ['≤ 0.15 ms', 'missed'],
      ['≤ 0.15 ms', ''],
    ])
  })
  test('the JSON has every sample', () => {
    const [asked] = JSON.parse(toJson(result)).questions
    assert.deepEqual(asked.rows[0].sides.sshd.samples, [10, 10, 10])
    assert.equal(asked.rows[0].ratios.sshd.median, 0.5)
  })
  test('the Markdown names the machine, the servers, the notes and the plot', () => {
    const text = toMarkdown(result, 'plot.svg')
    for (const part of ['- M', '**sshd**: OpenSSH', '> A note.', '(plot.svg)', '| --: |'])
      assert.ok(text.includes(part), part)
  })
})
