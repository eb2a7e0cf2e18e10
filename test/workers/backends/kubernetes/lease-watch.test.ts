import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLeaseWatch, type Seen } from '../../../../src/workers/backends/kubernetes/lease-watch.ts'

const seen = (version: string, durationMs: number | undefined = 4000): Map<string, Seen> =>
  new Map([['they', { version, durationMs }]])
const isOver = (watch: ReturnType<typeof createLeaseWatch>): boolean => watch.isOver('they', false)

test('a lease is over when it was seen unchanged for its duration, and that is told once', () => {
  const watch = createLeaseWatch(1000, 4000)
  // The first look may come just before the owner's next renewal.
  const news = [1, 2, 3, 4, 5].map(() => [watch.look(seen('1')), isOver(watch)])
  assert.deepEqual(
    news.slice(0, 4).flat(),
    Array.from({ length: 8 }, () => false),
  )
  watch.look(seen('1'))
  assert.ok(isOver(watch))
  assert.equal(watch.look(seen('1')), false)
})

test('each renewal begins anew, whatever its clock says', () => {
  const watch = createLeaseWatch(1000, 4000)
  for (let round = 0; round < 40; round++) watch.look(seen(String(Math.floor(round / 4))))
  assert.ok(!isOver(watch))
})

test('the duration is the owner’s, not ours', () => {
  const watch = createLeaseWatch(1000, 4000)
  for (let round = 0; round < 15; round++) watch.look(seen('1', 20_000))
  assert.ok(!isOver(watch))
  for (let round = 0; round < 10; round++) watch.look(seen('1', 20_000))
  assert.ok(isOver(watch))
})

test('a lease that vanished is over like one that is not renewed; one that comes back is not', () => {
  const watch = createLeaseWatch(1000, 4000)
  watch.look(seen('1'))
  for (let round = 0; round < 6; round++) watch.look(new Map())
  assert.ok(isOver(watch))
  watch.look(seen('2'))
  assert.ok(!isOver(watch))
})

test('of whom nothing was ever seen nothing is known, unless a lease is expected of him', () => {
  const watch = createLeaseWatch(1000, 4000)
  for (let round = 0; round < 10; round++) {
    assert.ok(!watch.isOver('silent', false))
    if (round < 3) assert.ok(!watch.isOver('expected', true))
    else watch.isOver('expected', true)
    watch.look(new Map())
  }
  assert.ok(!watch.isOver('silent', false))
  assert.ok(watch.isOver('expected', true))
})
