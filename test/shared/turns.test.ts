import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTurns } from '../../src/shared/turns.ts'

const never = new AbortController().signal

test('so many have their turn; the others come in the order in which they came, and who is patient comes last', async () => {
  const turns = createTurns(2, 10)
  const order: string[] = []
  const enter = (name: string, patient: boolean): Promise<void> =>
    turns.enter(never, patient).then((mine) => void order.push(mine ? name : `not ${name}`))
  await Promise.all([enter('a', false), enter('b', true)])
  const waiting = [enter('late', true), enter('c', false), enter('d', false)]
  for (let i = 0; i < 3; i += 1) turns.leave()
  await Promise.all(waiting)
  assert.deepEqual(order, ['a', 'b', 'c', 'd', 'late'])
})

test('who gives up does not take a turn, and a full queue takes nobody', async () => {
  const turns = createTurns(1, 1)
  assert.equal(await turns.enter(never), true)
  const impatient = new AbortController()
  const waiting = turns.enter(impatient.signal)
  assert.equal(await turns.enter(never), false)
  impatient.abort()
  assert.equal(await waiting, false)
  turns.leave()
  assert.equal(await turns.enter(never), true)
})
