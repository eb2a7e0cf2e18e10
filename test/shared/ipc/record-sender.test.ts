import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Report } from '../../../src/shared/ipc/contract.ts'
import { encodeFrame } from '../../../src/shared/ipc/frame.ts'
import type { Link } from '../../../src/shared/ipc/link.ts'
import { createRecordSender } from '../../../src/shared/ipc/record-sender.ts'
import type { LogRecord } from '../../../src/shared/log.ts'

type Batch = Extract<Report, { kind: 'log' }>

/** A link that is congested when the test says so; every message has to fit a frame. */
function stub() {
  const sent: Batch[] = []
  const state = { congested: false }
  const link: Link<Report> = {
    phase: 'serving',
    send: () => assert.fail('the log must not insist'),
    offer(message) {
      if (state.congested) return false
      encodeFrame(message)
      assert.ok(message.kind === 'log')
      sent.push(message)
      return true
    },
    flush: () => undefined,
    feed: () => undefined,
    drained: () => Promise.resolve(),
    pause: () => undefined,
    resume: () => undefined,
    close: () => undefined,
    queuedBytes: 0,
    peakBytes: 0,
    open: true,
  }
  return { sent, state, sender: createRecordSender(link) }
}
const record = (message: string, labels: LogRecord['labels'] = {}): LogRecord => ({
  level: 'info',
  code: 'TEST',
  message,
  labels,
  time: 1,
})
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('the records of one turn are one message, in order', async () => {
  const { sent, sender } = stub()
  for (let i = 0; i < 50; i++) sender.write(record(String(i)))
  assert.equal(sent.length, 0)
  await turn()
  assert.equal(sent.length, 1)
  assert.deepEqual(
    sent[0]?.records.map(({ message }) => message),
    Array.from({ length: 50 }, (_, i) => String(i)),
  )
  assert.equal(sent[0]?.dropped, 0)
})

test('records that a congested link cannot take are counted, and the number goes with the next message', async () => {
  const { sent, state, sender } = stub()
  state.congested = true
  for (let i = 0; i < 250; i++) sender.write(record('lost'))
  await turn()
  assert.equal(sender.dropped, 250)
  state.congested = false
  sender.write(record('kept'))
  await turn()
  assert.deepEqual(
    sent.map(({ records, dropped }) => [records.length, dropped]),
    [[1, 250]],
  )
  assert.equal(sender.dropped, 0)
})

test('the number of dropped records is told even if no record follows', async () => {
  const { sent, state, sender } = stub()
  state.congested = true
  sender.write(record('lost'))
  await turn()
  state.congested = false
  sender.flush()
  assert.deepEqual(sent, [{ kind: 'log', records: [], dropped: 1 }])
})

test('huge texts are cut, so that every batch fits a frame', async () => {
  const { sent, sender } = stub()
  const huge = '\uffff'.repeat(1_000_000)
  for (let i = 0; i < 300; i++) sender.write(record(huge, { command: huge, number: i, flag: true }))
  await turn()
  const records = sent.flatMap((batch) => batch.records)
  assert.equal(records.length, 300)
  assert.deepEqual(
    records.map(({ labels }) => labels['number']),
    Array.from({ length: 300 }, (_, i) => i),
  )
  assert.ok(records.every(({ message, labels }) => message.length < 9000 && String(labels['command']).length < 9000))
})
