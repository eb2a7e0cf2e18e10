import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createPassage, type Passage } from '../../src/primary/passage.ts'
import type { TcpHandle } from '../../src/shared/ipc/handle.ts'
import { arrivalOf } from '../rigs/arrival.ts'

const remote = arrivalOf({ address: '192.0.2.1', port: 1 })
interface Probe extends TcpHandle {
  closes: number
}
function probe(): Probe {
  const handle: Probe = {
    fd: -1,
    closes: 0,
    getpeername: () => -1,
    close() {
      handle.closes += 1
    },
  }
  return handle
}
const close = (handle: TcpHandle): void => handle.close()
function passed(passage: Passage, ticket: number, worker: number): Probe {
  const handle = probe()
  passage.park(handle, ticket, remote, false, true)
  const passenger = [...passage.parked()].find((one) => one.ticket === ticket)
  assert.ok(passenger !== undefined)
  passage.assign(passenger, worker)
  return handle
}

test('a handle is closed once, when the worker has taken the connection', () => {
  const passage = createPassage(close)
  const handle = passed(passage, 1, 1)
  passage.taken(1, 2)
  assert.equal(handle.closes, 0, 'another worker cannot take it')
  passage.taken(1, 1)
  passage.taken(1, 1)
  assert.equal(passage.leave(1, 2), false)
  assert.equal(passage.leave(1, 1), true)
  assert.equal(passage.leave(1, 1), false)
  assert.equal(handle.closes, 1)
  assert.equal(passage.load(1), 0)
})

test('a worker that has taken none of sixteen is given no more, until it takes one, or one is closed', () => {
  const passage = createPassage(close)
  for (let ticket = 1; ticket <= 15; ticket++) passed(passage, ticket, 1)
  assert.equal(passage.isBehind(1), false)
  passed(passage, 16, 1)
  assert.equal(passage.isBehind(1), true)
  assert.equal(passage.isBehind(2), false)
  passage.taken(1, 1)
  passage.taken(1, 1)
  assert.equal(passage.isBehind(1), false)
  passed(passage, 17, 1)
  passage.leave(1, 1)
  assert.equal(passage.isBehind(1), true, 'that one had arrived long ago')
  passage.leave(2, 1)
  assert.equal(passage.isBehind(1), false)
  passed(passage, 18, 1)
  passage.expire(performance.now() + 10_100)
  assert.equal(passage.isBehind(1), false)
  for (let ticket = 21; ticket <= 36; ticket++) passed(passage, ticket, 1)
  assert.equal(passage.isBehind(1), true)
  passage.orphan(1)
  assert.equal(passage.isBehind(1), false)
})

test('the connections of a dead worker end, those it never took are parked again, but only once', () => {
  const passage = createPassage(close)
  passed(passage, 1, 1)
  passage.taken(1, 1)
  const travelling = passed(passage, 2, 1)
  assert.deepEqual(passage.orphan(1), [1])
  assert.equal(travelling.closes, 0)
  const [again] = passage.parked()
  assert.equal(again?.ticket, 2)
  if (again !== undefined) passage.assign(again, 2)
  assert.deepEqual(passage.orphan(2), [2])
  assert.equal(travelling.closes, 1)
  assert.equal(passage.size, 0)
})

test('what travels too long is hung up: a worker may have it already', () => {
  const hungUp: TcpHandle[] = []
  const passage = createPassage((handle) => void hungUp.push(handle))
  const [parked, travelling] = [probe(), passed(passage, 2, 1)]
  passage.park(parked, 1, remote, false, true)
  passage.expire(performance.now() + 30_100)
  assert.deepEqual(hungUp, [travelling])
  assert.deepEqual([parked.closes, travelling.closes], [1, 0])
})

test('what travels for more than ten seconds, or waits for more than thirty, is closed; what was taken stays', () => {
  const passage = createPassage(close)
  const [parked, travelling, taken] = [probe(), passed(passage, 2, 1), passed(passage, 3, 1)]
  passage.park(parked, 1, remote, false, true)
  passage.taken(3, 1)
  assert.deepEqual(passage.expire(performance.now() + 9000), [])
  const expired = (afterMs: number): number[] => passage.expire(performance.now() + afterMs).map(({ ticket }) => ticket)
  assert.deepEqual(expired(10_100), [2])
  assert.deepEqual(expired(29_000), [])
  assert.deepEqual(expired(30_100), [1])
  assert.deepEqual([parked.closes, travelling.closes, taken.closes], [1, 1, 1])
  assert.equal(passage.size, 1)
  assert.equal(passage.load(1), 1)
})

test('no more than 1024 connections wait for a worker where there is none', () => {
  const passage = createPassage(close)
  for (let ticket = 1; ticket <= 1024; ticket++) assert.equal(passage.park(probe(), ticket, remote, false, true), true)
  const late = probe()
  assert.equal(passage.park(late, 1025, remote, false, true), false)
  assert.equal(late.closes, 0, 'it is still the caller’s')
  // The workers are there, and will take it.
  assert.equal(passage.park(late, 1025, remote, false, false), true)
  assert.equal(passage.abandon().length, 1025)
})

test('whatever happens, every handle is closed exactly once and every ticket ends exactly once', () => {
  const step = fc.record({
    act: fc.constantFrom('park', 'assign', 'taken', 'leave', 'orphan', 'expire'),
    ticket: fc.integer({ min: 1, max: 30 }),
    worker: fc.integer({ min: 1, max: 3 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const passage = createPassage(close)
      const handles = new Map<number, Probe>()
      const ended: number[] = []
      let next = 1
      for (const { act, ticket, worker } of steps) {
        const waiting = [...passage.parked()]
        if (act === 'park') {
          const handle = probe()
          handles.set(next, handle)
          passage.park(handle, next++, remote, false, true)
        } else if (act === 'assign') {
          const one = waiting[ticket % Math.max(1, waiting.length)]
          if (one !== undefined) passage.assign(one, worker)
        } else if (act === 'taken') passage.taken(ticket, worker)
        else if (act === 'leave') {
          if (passage.leave(ticket, worker)) ended.push(ticket)
        } else if (act === 'orphan') ended.push(...passage.orphan(worker))
        else for (const one of passage.expire(performance.now() + (ticket > 20 ? 40_000 : 0))) ended.push(one.ticket)
      }
      ended.push(...[1, 2, 3].flatMap((worker) => [...passage.orphan(worker)]), ...passage.abandon())
      assert.deepEqual(
        [...ended].sort((a, b) => a - b),
        [...handles.keys()],
      )
      for (const [ticket, handle] of handles) assert.equal(handle.closes, 1, String(ticket))
      assert.equal(passage.size, 0)
      for (const worker of [1, 2, 3]) assert.equal(passage.isBehind(worker), false)
    }),
  )
})
