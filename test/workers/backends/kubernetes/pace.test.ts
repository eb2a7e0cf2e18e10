import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPace } from '../../../../src/workers/backends/kubernetes/pace.ts'

const never = new AbortController().signal

test('a burst goes at once, and what comes after it waits', async () => {
  const pace = createPace(0.001, 3)
  for (let calls = 0; calls < 3; calls++) await pace.turn('one', never)
  const gone = new AbortController()
  let isThere = false
  const fourth = pace.turn('other', gone.signal).then(() => {
    isThere = true
  })
  await new Promise(setImmediate)
  assert.ok(!isThere)
  gone.abort(new Error('enough'))
  await assert.rejects(fourth, /enough/)
})

test('one who asks for a hundred holds up the others by a call each, and first come is first served in a line', async () => {
  const pace = createPace(2000, 1)
  const order: string[] = []
  const ask = (line: string, name = line): Promise<void> => pace.turn(line, never).then(() => void order.push(name))
  const all = Array.from({ length: 100 }, (_, i) => ask('many', `many ${i}`))
  all.push(ask('few'), ask('few'), ask('other'))
  await Promise.all(all)
  assert.equal(order.length, 103)
  const others = order.flatMap((name, at) => (name.startsWith('many') ? [] : [at]))
  assert.ok(
    others.every((at) => at < 8),
    `places ${others}`,
  )
  assert.deepEqual(
    order.filter((name) => name.startsWith('many')),
    Array.from({ length: 100 }, (_, i) => `many ${i}`),
  )
})

test('who gives up while he waits takes nobody’s turn', async () => {
  const pace = createPace(20, 1)
  await pace.turn('a', never)
  const gone = new AbortController()
  const waiting = Array.from({ length: 1000 }, () => pace.turn('a', gone.signal))
  const refused = Promise.allSettled(waiting)
  gone.abort(new Error('enough'))
  assert.ok((await refused).every((one) => one.status === 'rejected' && one.reason.message === 'enough'))
  // With a thousand turns lost it would come after fifty seconds.
  await pace.turn('a', AbortSignal.timeout(20_000))
})

test('there is an end to those who wait', async () => {
  const pace = createPace(0.001, 1)
  const gone = new AbortController()
  await pace.turn('a', never)
  const waiting = Array.from({ length: 10_000 }, (_, i) => pace.turn(`line ${i % 7}`, gone.signal))
  const settled = Promise.allSettled(waiting)
  await assert.rejects(pace.turn('b', never), { statusCode: 429 })
  gone.abort()
  await settled
})
