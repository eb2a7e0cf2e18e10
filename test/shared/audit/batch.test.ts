import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createBatch } from '../../../src/shared/audit/batch.ts'
import { BatchError, recordsOf } from '../../../src/shared/audit/batch-reader.ts'
import type { AuditRecord } from '../../../src/shared/audit/record.ts'

const connectionId = '0123456789abcdef0123456789abcdef'
const common = { connectionId, timestamp: 1_700_000_000_000_000_001n, channelId: null }
const records: readonly AuditRecord[] = [
  { ...common, type: 'connect', payload: { remoteAddr: '192.0.2.1', country: 'XX' } },
  { ...common, type: 'auth_password', payload: { username: 'alice', password: null } },
  {
    ...common,
    type: 'auth_keyboard_interactive_answer',
    payload: { username: 'alice', answers: [{ question: 'Code?', answer: '123' }] },
  },
  {
    ...common,
    type: 'setenv',
    channelId: 3,
    payload: { requestId: 2 ** 40, name: '\ufffd', nameRaw: Buffer.of(0xff), value: 'b' },
  },
  { ...common, type: 'io', channelId: 3, payload: { stream: 1, data: Buffer.from('hello') } },
  { ...common, type: 'handshake_successful', payload: { username: 'a' }, facts: { kex: 'x', clientVersion: '' } },
  { ...common, timestamp: -1n, type: 'disconnect', payload: null },
]
const readBack = (bytes: Uint8Array): AuditRecord[] => [...recordsOf(Buffer.from(bytes), connectionId)]

test('a batch gives back the records that were added, in their order', () => {
  const batch = createBatch()
  for (const record of records) batch.add(record)
  assert.deepEqual(readBack(batch.take()), records)
  assert.equal(batch.length, 0)
})

test('facts that are no texts, and too many of them, are refused', () => {
  const [first] = records
  assert.ok(first)
  const many = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`fact ${index}`, '']))
  for (const facts of [many, { kex: 7 }, ['x']]) {
    const batch = createBatch()
    batch.add({ ...first, facts } as unknown as AuditRecord)
    assert.throws(() => readBack(batch.take()), BatchError)
  }
})

test('a block of I/O is added without an object and reads like any other record', () => {
  const batch = createBatch()
  const lent = Buffer.from('lent for the call')
  batch.addIo(common.timestamp, 7, 2, lent)
  const written = Buffer.from(lent)
  lent.fill(0)
  const io = { ...common, type: 'io', channelId: 7, payload: { stream: 2, data: written } }
  assert.deepEqual(readBack(batch.take()), [io])
})

test('bytes that are no batch are refused, and nothing else is thrown', () => {
  const batch = createBatch()
  for (const record of records) batch.add(record)
  const good = Buffer.from(batch.take())
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, byte, length) => {
      const bad = Buffer.from(good.subarray(0, length))
      if (at < length) bad[at] = byte
      try {
        readBack(bad)
      } catch (error) {
        assert.ok(error instanceof BatchError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
  for (const value of [[0x93, 0, 0, 0], [0x94, 0, 0, 0xc0, 0xc0], [0xc0], [0x94, 0xcd, 0x7f, 0xff, 0, 0xc0, 0xc0]]) {
    assert.throws(() => readBack(Uint8Array.from(value)), BatchError)
  }
})
