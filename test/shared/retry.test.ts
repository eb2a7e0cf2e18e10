import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoff } from '../../src/shared/retry.ts'

test('pauses double up to the cap and begin again after a reset', () => {
  const pauses = backoff(100, 1000, () => 0)
  assert.deepEqual(
    Array.from({ length: 6 }, () => pauses.next()),
    [100, 200, 400, 800, 1000, 1000],
  )
  pauses.reset()
  assert.equal(pauses.next(), 100)
})

test('a pause is shortened by a quarter at most', () => {
  const pauses = backoff(100, 1000, () => 1)
  assert.deepEqual([pauses.next(), pauses.next()], [75, 150])
})
