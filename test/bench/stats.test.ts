import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ratio, slope, spread, summarize } from '../../bench/stats.ts'

describe('statistics of a bench', () => {
  test('the median of an odd number of samples is the middle one, whatever their order', () => {
    assert.equal(summarize([9, 1, 5]).median, 5)
  })
  test('the median of an even number of samples lies between the middle two', () => {
    assert.equal(summarize([4, 1, 3, 2]).median, 2.5)
  })
  test('a ratio is that of the medians; its range comes from samples of the same round', () => {
    const { median, min, max } = ratio([10, 20, 30], [100, 100, 300])
    assert.deepEqual([median, min, max], [0.2, 0.1, 0.2])
  })
  test('the spread is half of the range over the median', () => {
    assert.equal(spread(summarize([90, 100, 110])), 0.1)
  })
  test('a side that was never measured gives no number that looks like one', () => {
    assert.ok(Number.isNaN(ratio([1], []).median))
  })
  test('the slope of points on a line is that of the line, whatever lies beside it', () => {
    assert.equal(
      slope([
        [0, 1],
        [1, 3],
        [2, 5],
      ]),
      2,
    )
    assert.equal(
      slope([
        [0, 0],
        [1, 3],
        [2, 0],
      ]),
      0,
    )
  })
})
