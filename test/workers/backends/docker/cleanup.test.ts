/** How many containers an engine is asked to remove at a time, and which of them first; engines that do not answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog } from '../../../../src/shared/log.ts'
import { createTurns } from '../../../../src/shared/turns.ts'
import { createCleanup } from '../../../../src/workers/backends/docker/cleanup.ts'
import { connect } from '../../../../src/workers/backends/docker/client.ts'
import { createEngine, type Engine } from '../../../../src/workers/backends/docker/engine.ts'
import { until } from '../../../rigs/daemon.ts'

const limitMs = 60_000
const quiet = createLog({ level: 'emerg', write: () => undefined })

/** An engine that is done with a removal when the test says so. */
function slowEngine() {
  const asked: string[] = []
  const answers = new Map<string, () => void>()
  const settings = { host: 'unix:///nowhere', cacert: '', cert: '', key: '' }
  const engine: Engine = {
    ...createEngine(connect(settings, limitMs)),
    removeContainer(id) {
      asked.push(id)
      return new Promise((resolve) => answers.set(id, resolve))
    },
  }
  return { engine, asked, answer: (id: string): void => answers.get(id)?.() }
}

test('so many are removed at a time, those that a login waits for before the others, and none is forgotten', async () => {
  const { engine, asked, answer } = slowEngine()
  const cleanup = createCleanup(engine, limitMs, createTurns(2, 10))
  for (const id of ['a', 'b', 'c', 'd']) void cleanup.remove(id, quiet)
  void cleanup.remove('first', quiet, true)
  const other = cleanup.inTurn(async () => asked.push('other'))
  await until('two', () => asked.length === 2)
  assert.deepEqual(asked, ['a', 'b'])
  answer('b')
  await until('the next', () => asked.length > 2)
  assert.deepEqual(asked, ['a', 'b', 'first'])
  const over = cleanup[Symbol.asyncDispose]()
  for (const [done, next] of [
    ['a', 'c'],
    ['c', 'd'],
    ['d', 'other'],
  ] as const) {
    answer(done)
    await until(next, () => asked.includes(next))
  }
  answer('first')
  await Promise.all([other, over])
  assert.deepEqual(asked, ['a', 'b', 'first', 'c', 'd', 'other'])
  assert.deepEqual(cleanup.takeAbandoned(), [])
})

test('one that the engine does not get on with keeps the others waiting for a while, not for ever', async () => {
  const { engine, asked, answer } = slowEngine()
  const cleanup = createCleanup(engine, limitMs, createTurns(1, 10))
  for (const id of ['stuck', 'a', 'b']) void cleanup.remove(id, quiet)
  await until('the next', () => asked.includes('a'), limitMs)
  answer('a')
  await until('the last', () => asked.includes('b'), limitMs)
  answer('b')
  answer('stuck')
  await cleanup[Symbol.asyncDispose]()
})

test('a queue that is full is passed by', async () => {
  const { engine, asked, answer } = slowEngine()
  const cleanup = createCleanup(engine, limitMs, createTurns(1, 1))
  for (const id of ['a', 'b', 'c']) void cleanup.remove(id, quiet)
  await until('the one too many', () => asked.length === 2)
  assert.deepEqual(asked, ['a', 'c'])
  answer('a')
  answer('c')
  await until('the one that waited', () => asked.includes('b'))
  answer('b')
  await cleanup[Symbol.asyncDispose]()
})
