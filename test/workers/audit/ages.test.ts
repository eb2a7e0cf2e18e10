import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAges } from '../../../src/workers/audit/ages.ts'
import { until } from '../../primary/rig.ts'

test('batches that begin together are flushed in one turn; what has left its group is not', async () => {
  const ages = createAges()
  const flushed: string[] = []
  const one = (name: string) => ({ flush: () => void flushed.push(name) })
  const [first, gone, last] = [one('first'), one('gone'), one('last')]
  const groups = [first, gone, last].map((each) => ages.join(each))
  assert.ok(groups.every((group) => group === groups[0]))
  groups[1]?.delete(gone)
  await until('the first', () => flushed.length > 0)
  assert.deepEqual(flushed, ['first', 'last'])
  const next = ages.join(first)
  assert.notEqual(next, groups[0])
  await until('the second', () => flushed.length > 2)
  assert.deepEqual(flushed, ['first', 'last', 'first'])
})

test('who joins again while its group is flushed waits for the next one', async () => {
  const ages = createAges()
  let flushes = 0
  const busy = {
    flush(): void {
      flushes += 1
      if (flushes < 3) ages.join(busy)
    },
  }
  ages.join(busy)
  await until('all', () => flushes === 3)
})
