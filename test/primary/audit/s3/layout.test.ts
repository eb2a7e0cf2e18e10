/** Part arithmetic, for every size that a log can have. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  firstPartBytes,
  mostPartBytes,
  mostParts,
  partOf,
  roomOf,
  wholePart,
} from '../../../../src/primary/audit/s3/layout.ts'

const mib = 2 ** 20
const sizes = fc.integer({ min: 5 * mib, max: mostPartBytes })

test('parts follow each other without a gap, have the sizes that S3 takes, and there are 10000', () => {
  for (const first of [5 * mib, 5 * mib + 1, 64 * mib, mostPartBytes]) {
    let end = 0
    for (let number = 1; number <= mostParts; number++) {
      const part = wholePart(number, first)
      assert.equal(part?.start, end)
      const bytes = part?.bytes ?? 0
      assert.ok(bytes >= first && bytes <= mostPartBytes)
      end += bytes
    }
    assert.equal(roomOf(first), end)
    assert.equal(wholePart(mostParts + 1, first), undefined)
  }
  assert.equal(wholePart(0, 5 * mib), undefined)
  assert.ok(roomOf(5 * mib) > 300 * 1024 * mib)
})

test('a log that grows has only whole parts; a finished one has all of its bytes', () => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 0, max: 200 }), fc.nat(5 * mib), (first, whole, rest) => {
      const size = first * whole + (rest % first)
      const last = partOf(whole + 1, first, size, true)
      assert.equal(partOf(whole + 1, first, size, false), undefined)
      assert.equal(last?.bytes ?? 0, rest % first)
      if (whole > 0) assert.deepEqual(partOf(whole, first, size, false), { start: (whole - 1) * first, bytes: first })
    }),
  )
})

test('an upload that is begun late has room for everything', () => {
  const largest = 5 * 2 ** 40
  fc.assert(
    fc.property(fc.integer({ min: 0, max: largest }), (size) => {
      const first = firstPartBytes(5 * mib, size)
      assert.ok(first >= 5 * mib && roomOf(first) >= size)
    }),
  )
})
