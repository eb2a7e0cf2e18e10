import assert from 'node:assert/strict'
import { test } from 'node:test'
import { counters, createCounters, isIncrement, refusalReasons } from '../../src/shared/metric.ts'

const name = 'containerssh_ssh_refusals_total'

test('what is counted in a worker and taken from it is in the sum of the primary, once', () => {
  const worker = createCounters()
  const primary = createCounters()
  worker.count(name, { reason: 'penalty' })
  worker.count(name, { reason: 'penalty' })
  primary.count(name, { reason: 'busy' })
  primary.add(worker.take())
  primary.add(worker.take())
  worker.count(name, { reason: 'penalty' })
  primary.add(worker.take())
  assert.deepEqual(primary.read(), [
    [name, ['busy'], 1],
    [name, ['penalty'], 3],
  ])
  assert.deepEqual(worker.read(), [])
})

test('an increment from another process has a known name, known values for all labels, and grows', () => {
  for (const reason of refusalReasons) assert.ok(isIncrement([name, [reason], 1]))
  assert.ok(isIncrement(['containerssh_ssh_connections_total', ['DE'], 7]))
  for (const wrong of [
    [name, ['anything'], 1],
    [name, ['penalty', 'busy'], 1],
    [name, [], 1],
    [name, ['penalty'], 0],
    [name, ['penalty'], -1],
    [name, ['penalty'], 1.5],
    [name, ['penalty'], Number.POSITIVE_INFINITY],
    [name, [1], 1],
    [name, 'penalty', 1],
    [name, ['penalty']],
    ['toString', [], 1],
    ['containerssh_ssh_connections_total', ['de'], 1],
    ['containerssh_ssh_connections_total', ['DEU'], 1],
    {},
    null,
  ]) {
    assert.equal(isIncrement(wrong), false, JSON.stringify(wrong))
  }
})

test('no counter has a label that could tell who a user is', () => {
  for (const { labels, help } of Object.values(counters)) {
    assert.ok(help.length > 0)
    for (const label of Object.keys(labels)) assert.doesNotMatch(label, /user|addr|ip|host/)
  }
})
