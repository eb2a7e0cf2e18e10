import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLeases, type Leases } from '../../src/shared/leases.ts'

interface Thing extends AsyncDisposable {
  readonly name: string
  ended: boolean
}
const thing = (name: string): Thing => {
  const made: Thing = {
    name,
    ended: false,
    async [Symbol.asyncDispose]() {
      made.ended = true
    },
  }
  return made
}
const leases = (options: { idleMs?: number; mostIdle?: number } = {}): Leases<Thing> =>
  createLeases<Thing>({ idleMs: 60_000, mostIdle: 2, failed: assert.fail, ...options })
const take = (from: Leases<Thing>, name: string) => from.take(name, () => thing(name))

test('who takes the same name has the same thing', async () => {
  await using all = leases()
  const [a, b, other] = [take(all, 'a'), take(all, 'a'), take(all, 'b')]
  assert.equal(a.value, b.value)
  assert.notEqual(a.value, other.value)
  assert.deepEqual(all.values(), [a.value, other.value])
})

test('a thing ends some time after the last has given it back, once', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  await using all = leases({ idleMs: 1000 })
  const [a, b] = [take(all, 'a'), take(all, 'a')]
  a.release()
  a.release()
  context.mock.timers.tick(2000)
  assert.equal(b.value.ended, false)
  b.release()
  context.mock.timers.tick(999)
  assert.equal(b.value.ended, false)
  const again = take(all, 'a')
  assert.equal(again.value, b.value)
  context.mock.timers.tick(5000)
  assert.equal(again.value.ended, false)
  again.release()
  context.mock.timers.tick(1000)
  assert.equal(again.value.ended, true)
  assert.notEqual(take(all, 'a').value, again.value)
})

test('of the things that nobody uses only so many are kept: the oldest goes', async () => {
  await using all = leases({ mostIdle: 2 })
  const taken = ['a', 'b', 'c'].map((name) => take(all, name))
  for (const { release } of taken) release()
  assert.deepEqual(
    taken.map(({ value }) => value.ended),
    [true, false, false],
  )
})

test('what could not be made is not kept, and the end ends all', async () => {
  const all = leases()
  const failing = (): Thing => {
    throw new Error('no')
  }
  assert.throws(() => all.take('a', failing), /no/)
  const a = take(all, 'a')
  await all[Symbol.asyncDispose]()
  assert.equal(a.value.ended, true)
})

test('what an end throws is told', async () => {
  const told: unknown[] = []
  const all = createLeases<AsyncDisposable>({ idleMs: 1, mostIdle: 0, failed: (error) => told.push(error) })
  const error = new Error('stuck')
  all.take('a', () => ({ [Symbol.asyncDispose]: () => Promise.reject(error) })).release()
  await all[Symbol.asyncDispose]()
  assert.deepEqual(told, [error])
})
