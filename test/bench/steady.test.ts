import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startClock } from '../../bench/clock.ts'
import { untilSteady } from '../../bench/steady.ts'

/** How many batches are served when they cost this much, the last one for ever. */
async function batchesOf(costs: readonly number[], most = 10): Promise<number> {
  let served = 0
  const bench = { clock: startClock(), signal: new AbortController().signal }
  await untilSteady(bench, { logins: 100, most }, async (logins) => {
    assert.equal(logins, 100)
    return costs[Math.min(served++, costs.length - 1)] ?? Number.NaN
  })
  return served
}

describe('a warm-up', () => {
  test('ends with the second of two batches that cost the same within 5 %', async () => {
    assert.equal(await batchesOf([2, 1.7, 1.6, 1.5, 1.45, 1.2]), 5)
    assert.equal(await batchesOf([2, 2.2, 2.25]), 3)
  })
  test('ends after so many batches, however they differ', async () => {
    assert.equal(await batchesOf([5, 4, 3, 2, 1], 4), 4)
    assert.equal(await batchesOf([Number.NaN], 3), 3)
  })
  test('is told to the clock as such, and ends with the run', async () => {
    const clock = startClock()
    const stop = new AbortController()
    const serve = async (): Promise<number> => {
      stop.abort(new Error('stopped'))
      return Math.random()
    }
    await assert.rejects(untilSteady({ clock, signal: stop.signal }, { logins: 1, most: 9 }, serve), /stopped/)
    assert.ok(clock.read().warmUp > 0)
  })
})
