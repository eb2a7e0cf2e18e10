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

test('the newest keeps its place, also after it was deleted and is set again', () => {
  const lru = createLru<string, number>(2)
  lru.set('a', 1)
  lru.delete('a')
  lru.set('b', 2)
  lru.set('a', 3)
  assert.equal(lru.get('a'), 3)
  lru.set('a', 4)
  lru.set('c', 5)
  assert.deepEqual([lru.get('b'), lru.get('a'), lru.get('c'), lru.size], [undefined, 4, 5, 2])
})
