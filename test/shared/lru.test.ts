import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLru } from '../../src/shared/lru.ts'

test('what was not looked up for the longest time is forgotten first', () => {
  const lru = createLru<string, number>(2)
  lru.set('a', 1)
  lru.set('b', 2)
  assert.equal(lru.get('a'), 1)
  lru.set('c', 3)
  assert.deepEqual([lru.get('a'), lru.get('b'), lru.get('c'), lru.size], [1, undefined, 3, 2])
})

test('a value that is set again is not two', () => {
  const lru = createLru<string, number>(2)
  lru.set('a', 1)
  lru.set('a', 2)
  assert.deepEqual([lru.get('a'), lru.size], [2, 1])
})
