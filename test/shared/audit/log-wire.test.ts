import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LogState, type LogStored, newLogFile } from '../../../src/shared/audit/log-task.ts'
import { packLoad, packOutcome, readOutcome, readWork } from '../../../src/shared/audit/log-wire.ts'

const settings = { format: 'gzip', recipients: [], mostChannels: 1 } as const
const facts = { startTime: 5, remoteAddr: '192.0.2.7', authenticated: true, username: 'alice', country: 'DE' }
const copies = [
  { folder: '/a', descriptor: 3 },
  { folder: '/b', descriptor: 4 },
]
const before: LogState = {
  connectionId: '0'.repeat(32),
  folders: ['/a', '/b'],
  files: [
    { ...newLogFile('one', copies), bytes: 7, envelope: { key: Uint8Array.of(1), count: 2 } },
    { ...newLogFile('two', copies), recording: { channel: 1, cast: { kind: 'waiting' } as never } },
  ],
  fileCount: 2,
  chain: { seq: 3, prev: Uint8Array.of(9) },
  latest: 11n,
  facts,
}
/** As it comes out on the other side. */
const sent = (stored: LogStored): unknown => readOutcome(structuredClone(packOutcome(stored, before)), before)
const plain: LogStored = { state: before, finished: [], failures: [], disconnect: undefined, offence: undefined }

test('a work arrives as it was sent', () => {
  for (const chain of [undefined, { seq: 0, prev: null }, before.chain]) {
    const end = { timestamp: 1n, hostKeys: ['key'] }
    const work = { state: { ...before, chain }, batches: [Uint8Array.of(1, 2)], end }
    const { works } = structuredClone(packLoad(settings, [work]))
    assert.deepEqual(works.map(readWork), [work])
  }
})

test('of an outcome comes back what is new, and what is not stays the same object', () => {
  const outcome = sent(plain)
  assert.deepEqual(outcome, plain)
  assert.equal((outcome as LogStored).state.facts, facts)
  const [one, two] = before.files
  assert.ok(one !== undefined && two !== undefined)
  const grown = {
    ...before,
    files: [
      { ...one, bytes: 20, envelope: { key: Uint8Array.of(1), count: 3 } },
      { ...two, recording: undefined },
    ],
    chain: { seq: 4, prev: Uint8Array.of(8) },
    latest: 12n,
    facts: { ...facts, username: 'bob' },
  }
  assert.deepEqual(sent({ ...plain, state: grown }), { ...plain, state: grown })
})

test('a lost copy, a new file, a finished one and what the worker did wrong come back too', () => {
  const [one, two] = before.files
  assert.ok(one !== undefined && two !== undefined)
  const stored: LogStored = {
    state: {
      ...before,
      folders: ['/a'],
      files: [{ ...one, copies: copies.slice(0, 1) }, newLogFile('three', copies)],
      fileCount: 3,
    },
    finished: [{ ...two, bytes: 99 }],
    failures: [{ name: 'one', folder: '/b', descriptor: 4, reason: 'ENOSPC' }],
    disconnect: 13n,
    offence: 'a record after the last',
  }
  assert.deepEqual(sent(stored), stored)
})

test('what failed has a reason, and so has what did not come back', () => {
  assert.deepEqual(readOutcome(packOutcome({ reason: 'broken' }, before), before), { reason: 'broken' })
  assert.ok('reason' in readOutcome(undefined, before))
})
