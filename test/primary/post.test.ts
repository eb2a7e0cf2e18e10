import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect, newPost } from '../../src/primary/post.ts'
import type { Order } from '../../src/shared/ipc/contract.ts'
import type { Link } from '../../src/shared/ipc/link.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'

test('a worker that serves and gives no sign of life for a minute is killed, with a record', () => {
  const records: LogRecord[] = []
  const log = createLog({ level: 'debug', write: (record) => void records.push(record) })
  const post = newPost(3, 'current')
  let kills = 0
  const link = { phase: 'serving', open: true } as Link<Order>
  const kill = (): void => {
    kills += 1
  }
  const offend = (): void => undefined
  post.process = { number: 3, pid: 1, link, pass: () => undefined, kill, offend, ended: new Promise(() => undefined) }
  for (let look = 0; look < 29; look++) inspect(post, log, 2000, 60_000)
  post.silentLooks = 0 // what any report does
  for (let look = 0; look < 30; look++) inspect(post, log, 2000, 60_000)
  assert.equal(kills, 0)
  inspect(post, log, 2000, 60_000)
  assert.equal(kills, 1)
  assert.deepEqual(
    records.map(({ code, labels }) => [code, labels['worker']]),
    [['WORKER_UNRESPONSIVE', 3]],
  )
})

test('a worker that drains, or has not started, is left to its deadline', () => {
  const log = createLog({ level: 'debug', write: () => assert.fail('nothing to report') })
  for (const phase of ['starting', 'draining'] as const) {
    const post = newPost(1, 'current')
    const link = { phase, open: true } as Link<Order>
    post.process = {
      number: 1,
      pid: 1,
      link,
      pass: () => undefined,
      kill: () => assert.fail('killed'),
      offend: () => assert.fail('killed'),
      ended: new Promise(() => undefined),
    }
    for (let look = 0; look < 100; look++) inspect(post, log, 2000, 60_000)
  }
})
