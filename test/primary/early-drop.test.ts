import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { dropProbability, type EarlyDrop } from '../../src/primary/early-drop.ts'

const drops: fc.Arbitrary<EarlyDrop> = fc
  .record({
    start: fc.integer({ min: 1, max: 1000 }),
    above: fc.integer({ min: 1, max: 1000 }),
    rate: fc.integer({ min: 1, max: 100 }),
  })
  .map(({ start, above, rate }) => ({ start, rate, full: start + above }))

test('nothing is dropped below start, the rate at start, everything from full on', () => {
  fc.assert(
    fc.property(drops, fc.nat(5000), (drop, pending) => {
      const probability = dropProbability(pending, drop)
      if (pending < drop.start) assert.equal(probability, 0)
      if (pending >= drop.full) assert.equal(probability, 1)
      assert.equal(dropProbability(drop.start, drop), drop.rate / 100)
    }),
  )
})

test('from start to full the probability grows by equal steps', () => {
  fc.assert(
    fc.property(drops, (drop) => {
      const step = (1 - drop.rate / 100) / (drop.full - drop.start)
      for (let pending = drop.start; pending < drop.full; pending++) {
        const growth = dropProbability(pending + 1, drop) - dropProbability(pending, drop)
        assert.ok(Math.abs(growth - step) < 1e-9)
      }
    }),
  )
})

test('the values of sshd: 10:30:100', () => {
  const drop = { start: 10, rate: 30, full: 100 }
  const perCent = [9, 10, 55, 100].map((pending) => Math.round(dropProbability(pending, drop) * 100))
  assert.deepEqual(perCent, [0, 30, 65, 100])
})

test('a start at or beyond full leaves only the limit', () => {
  const drop = { start: 300, rate: 30, full: 50 }
  assert.deepEqual(
    [0, 49, 50, 400].map((pending) => dropProbability(pending, drop)),
    [0, 0, 1, 1],
  )
  assert.equal(dropProbability(9999, { ...drop, full: 0 }), 0)
})
