/** What the workers are asked, and what of their answers counts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSwitchboard, type Located, type Watcher } from '../../../src/primary/control/switchboard.ts'
import type { WorkerState } from '../../../src/primary/fleet.ts'
import {
  type ConnectionState,
  type ControlOrder,
  type ControlReport,
  WATCH_WINDOW_BYTES,
} from '../../../src/shared/ipc/control.ts'

const connection = (ticket: number, more: Partial<ConnectionState> = {}): ConnectionState => ({
  ticket,
  connectionId: String(ticket).padStart(32, '0'),
  username: 'alice',
  address: '192.0.2.1',
  port: 1000 + ticket,
  country: 'XX',
  clientVersion: '',
  ageMs: 0,
  authenticatedMs: 0,
  idleMs: 0,
  room: '',
  channels: [],
  channelCount: 0,
  receivedBytes: 0,
  sentBytes: 0,
  ...more,
})

/** Worker 1 has the tickets 1 to 9, worker 2 those from 10 to 19, and so on; each answers by `answer`. */
function rig(
  answer: (order: ControlOrder, worker: number, report: (report: ControlReport) => void) => void,
  count = 2,
) {
  const orders: (readonly [worker: number, order: ControlOrder])[] = []
  const workers = Array.from(
    { length: count },
    (_, index): WorkerState => ({
      ...{ number: index + 1, stage: 'current', pid: 100 + index, phase: 'serving' },
      ...{ connections: 1, queuedBytes: 0, reported: undefined },
    }),
  )
  const switchboard = createSwitchboard(() => ({
    workers,
    has: (ticket, worker) => Math.floor(ticket / 10) + 1 === worker,
    ask(worker, order) {
      orders.push([worker, order])
      setImmediate(() => answer(order, worker, (report) => switchboard.report(report, worker)))
      return true
    },
  }))
  return { switchboard, orders }
}
const located = (ticket: number): Located => ({
  ...connection(ticket),
  worker: Math.floor(ticket / 10) + 1,
  pid: 1,
  stage: 'current',
})

test('a list is put together of what all workers say, in as many parts as they like', async () => {
  const { switchboard } = rig((order, worker, report) => {
    if (order.kind !== 'list') return
    const { request } = order
    report({ kind: 'connections', request, last: false, connections: [connection(worker * 10 - 9)] })
    report({ kind: 'connections', request, last: true, connections: [connection(worker * 10 - 8)] })
  })
  const { connections, silent } = await switchboard.list()
  assert.deepEqual(
    connections.map(({ ticket, worker }) => [worker, ticket]),
    [
      [1, 1],
      [1, 2],
      [2, 11],
      [2, 12],
    ],
  )
  assert.deepEqual(silent, [])
})

test('a worker speaks of its own connections, once each, and only when it is asked', async () => {
  const { switchboard } = rig((order, worker, report) => {
    if (order.kind !== 'list') return
    const other = order.request === 1 ? 2 : 1
    // The answer to a request that was another worker's.
    report({ kind: 'connections', request: other, last: true, connections: [connection(1)] })
    const connections = worker === 1 ? [connection(1), connection(1), connection(11)] : []
    report({ kind: 'connections', request: order.request, last: true, connections })
    report({ kind: 'connections', request: order.request, last: true, connections: [connection(2)] })
  })
  const { connections } = await switchboard.list()
  assert.deepEqual(
    connections.map(({ ticket, worker }) => [worker, ticket]),
    [[1, 1]],
  )
})

test('a worker that does not answer is named, and what the others have is told', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { switchboard } = rig((order, worker, report) => {
    if (order.kind === 'list' && worker === 2) {
      report({ kind: 'connections', request: order.request, last: true, connections: [connection(11)] })
    }
    if (worker === 1) setImmediate(() => t.mock.timers.tick(3000))
  })
  const { connections, silent } = await switchboard.list()
  assert.deepEqual(
    connections.map(({ ticket }) => ticket),
    [11],
  )
  assert.deepEqual(silent, [1])
})

test('a watch gets what its connection puts out, never more than was asked for, and hears of the end once', async () => {
  let watch = 0
  const { switchboard, orders } = rig((order, _worker, report) => {
    if (order.kind !== 'watch') return
    watch = order.watch
    report({ kind: 'done', request: order.request, count: 1 })
  })
  const taken: number[] = []
  let ends = 0
  const watcher: Watcher = {
    take: (report) => void taken.push(report.kind === 'watched' ? report.bytes.length : -1),
    over: () => void ends++,
  }
  const watching = await switchboard.watch(located(1), -1, watcher)
  assert.ok(watching !== undefined)
  assert.deepEqual([switchboard.watching(), switchboard.watching(1), switchboard.watching(2)], [1, 1, 0])
  const data = (bytes: number, worker = 1): void =>
    switchboard.report({ kind: 'watched', watch, channel: 0, stream: 1, lost: 0, bytes: Buffer.alloc(bytes) }, worker)
  data(WATCH_WINDOW_BYTES - 1)
  data(2) // more than it may
  data(1)
  data(1)
  data(0, 2) // another worker
  assert.deepEqual(taken, [WATCH_WINDOW_BYTES - 1, 1])
  watching.more(5)
  assert.deepEqual(orders.at(-1), [1, { kind: 'watch-more', watch, bytes: 5 }])
  data(5)
  assert.equal(taken.at(-1), 5)
  switchboard.closed(2)
  assert.equal(ends, 0)
  switchboard.closed(1)
  switchboard.closed(1)
  assert.deepEqual([ends, switchboard.watching()], [1, 0])
  data(0)
  assert.equal(taken.length, 3)
})

test('a watch of a connection that has gone is none', async () => {
  const { switchboard } = rig((order, _worker, report) => {
    if (order.kind === 'watch') report({ kind: 'done', request: order.request, count: 0 })
  })
  const watcher: Watcher = { take: () => undefined, over: () => undefined }
  assert.equal(await switchboard.watch(located(1), -1, watcher), undefined)
  assert.equal(switchboard.watching(), 0)
})
