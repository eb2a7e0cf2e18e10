import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeadlineError, sleep, within } from '../../src/shared/deadline.ts'

const forever = (): Promise<never> => new Promise(() => undefined)

test('a task that ignores its signal is left behind when its time is over', async () => {
  const keepAlive = setTimeout(() => undefined, 10_000)
  await assert.rejects(within('the task', 5, undefined, forever), (error) => {
    assert.ok(error instanceof DeadlineError)
    assert.equal(error.message, 'the task took longer than 5 ms')
    return true
  })
  clearTimeout(keepAlive)
})

test('the task sees its signal aborted when the time is over', async () => {
  let seen: AbortSignal | undefined
  await assert.rejects(
    within('x', 5, undefined, (signal) => {
      seen = signal
      return forever()
    }),
    DeadlineError,
  )
  assert.equal(seen?.aborted, true)
})

test('an aborted parent ends the wait with the reason of the parent', async () => {
  const parent = new AbortController()
  const waiting = within('x', 10_000, parent.signal, forever)
  parent.abort(new Error('stop'))
  await assert.rejects(waiting, /^Error: stop$/)
  await assert.rejects(
    within('x', 10_000, parent.signal, async () => 1),
    /^Error: stop$/,
  )
})

test('result and error of a task in time are passed on', async () => {
  assert.equal(await within('x', 10_000, undefined, async () => 5), 5)
  await assert.rejects(
    within('x', 10_000, undefined, async () => {
      throw new Error('own')
    }),
    /^Error: own$/,
  )
})

test('an aborted sleep ends early without an error', async () => {
  const controller = new AbortController()
  const sleeping = sleep(3_600_000, controller.signal)
  controller.abort()
  await sleeping
})
