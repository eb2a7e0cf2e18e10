import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { constants, gunzipSync } from 'node:zlib'
import { catalogue, messageTypes } from '../../../src/shared/audit/catalogue.ts'
import { createOutput } from '../../../src/shared/audit/cbor-output.ts'
import { headerBytes, logHeader } from '../../../src/shared/audit/file-format.ts'
import { createPacker } from '../../../src/shared/audit/pack.ts'
import type { AuditRecord } from '../../../src/shared/audit/record.ts'
import { at, connectionId, contentsOf, golden, goldens, logOf, packed, rawLog } from './rig.ts'

const content = (log: Buffer): Buffer => gunzipSync(log.subarray(headerBytes), { finishFlush: constants.Z_SYNC_FLUSH })
const shell = (requestId: number): AuditRecord => ({
  connectionId,
  timestamp: at(requestId),
  type: 'shell',
  payload: { requestId },
  channelId: 0,
})

test('records of the Go program are packed to the very bytes that it wrote', async () => {
  const names = readdirSync(goldens).filter((name) => /^(synthetic|reference)-.*\.auditlog$/.test(name))
  assert.ok(names.length > 10)
  for (const name of names.filter((each) => !each.includes('invalid-utf8'))) {
    const log = golden(name)
    const { records, problems } = await contentsOf(log)
    assert.deepEqual(problems, [], name)
    const id = records[0]?.connectionId ?? ''
    assert.ok(Buffer.from(packed(records, id)).equals(content(log)), name)
    assert.deepEqual(log.subarray(0, headerBytes), Buffer.from(logHeader()))
  }
})

test('the synthetic log has every message of the catalogue, so that none is packed unseen', async () => {
  const { records } = await contentsOf(golden('synthetic-all-types-v2.auditlog'))
  assert.deepEqual(new Set(records.map(({ type }) => type)), new Set(messageTypes))
  assert.equal(messageTypes.length, 46)
  assert.equal(new Set(messageTypes.map((type) => catalogue[type].number)).size, 46)
})

test('a text that is no UTF-8 stays readable, and its bytes are kept', async () => {
  const { records, problems, repaired } = await contentsOf(golden('reference-0.6-invalid-utf8.auditlog'))
  assert.deepEqual(problems, [])
  assert.equal(repaired, 1)
  const variable = records.find(({ type }) => type === 'setenv')
  assert.ok(variable?.type === 'setenv' && variable.payload.valueRaw !== undefined)
  assert.equal(variable.payload.value, 'a\ufffd\ufffdb')
  assert.equal(Buffer.from(variable.payload.valueRaw).toString('hex'), '61fffe62')
  assert.ok(records.some((record) => record.type === 'exec' && record.payload.program === 'echo invisible'))
  assert.equal(records.at(-1)?.type, 'disconnect')
  // Written again, every reader can read it, and the bytes are not lost.
  const again = await contentsOf(logOf([records]))
  assert.equal(again.repaired, 0)
  const kept = again.records.find(({ type }) => type === 'setenv')
  assert.deepEqual(kept?.payload, variable.payload)
})

test('a number that does not fit is refused, and the batch stays whole', async () => {
  const packer = createPacker(connectionId)
  packer.pack(shell(1))
  for (const requestId of [-1, 2 ** 53, 0.5, 2n ** 64n, Number.NaN]) {
    assert.throws(() => packer.pack({ ...shell(2), payload: { requestId } } as AuditRecord), RangeError)
  }
  assert.throws(() => packer.pack({ ...shell(2), timestamp: 2n ** 63n } as AuditRecord), RangeError)
  packer.pack(shell(3))
  const { records, problems } = await contentsOf(rawLog([packer.take()]))
  assert.deepEqual(problems, [])
  assert.deepEqual(records, [shell(1), shell(3)])
  assert.equal(packer.length, 0)
})

test('what was packed has memory of its own', () => {
  const packer = createPacker(connectionId)
  packer.pack(shell(1))
  const first = packer.take()
  const copy = Uint8Array.from(first)
  packer.pack(shell(2))
  assert.deepEqual(first, copy)
  const moved = structuredClone(first, { transfer: [first.buffer] })
  assert.deepEqual(moved, copy)
})

test('packers that share their memory give the same bytes, until the next batch', () => {
  const out = createOutput()
  const batches = ['a'.repeat(32), 'b'.repeat(32)].map((id) => {
    const packer = createPacker(id, out)
    packer.pack(shell(1))
    packer.pack(shell(2))
    return Buffer.from(out.lend()).equals(Buffer.from(packed([shell(1), shell(2)], id)))
  })
  assert.deepEqual([batches, out.length], [[true, true], 0])
})

test('batches are read in their order from gzip and from zstd, and from both in one file', async () => {
  const batches = [[shell(1), shell(2)], [shell(3)], [], [shell(4)]]
  const expected = { records: batches.flat(), problems: [], repaired: 0 }
  assert.deepEqual(await contentsOf(logOf(batches, 'gzip')), expected)
  assert.deepEqual(await contentsOf(logOf(batches, 'zstd')), expected)
  const mixed = Buffer.concat([
    logOf([[shell(1)]], 'zstd'),
    logOf([[shell(2), shell(3)]], 'zstd').subarray(headerBytes),
    logOf([[shell(4)]], 'gzip').subarray(headerBytes),
  ])
  assert.deepEqual(await contentsOf(mixed), expected)
})

test('a member larger than any batch is read step by step, whichever the compression', async () => {
  const block: AuditRecord = {
    connectionId,
    timestamp: at(0),
    type: 'io',
    payload: { stream: 1, data: new Uint8Array(60_000).map((_, index) => (index * index) >> 3) },
    channelId: 3,
  }
  const batch = new Array<AuditRecord>(60).fill(block)
  for (const compression of ['gzip', 'zstd'] as const) {
    const { records, problems } = await contentsOf(logOf([batch, [shell(1)], batch], compression))
    assert.deepEqual(problems, [])
    assert.equal(records.length, 121)
    assert.deepEqual(records[60], shell(1))
    assert.deepEqual(records.at(-1), block)
  }
})

test('a log of the Go program that says how it ends is taken for ended', async () => {
  for (const name of ['finished-gzip', 'two-members-finished', 'member-per-message-open-end', 'split-inside-message']) {
    const { records, problems } = await contentsOf(golden(`derived-${name}.auditlog`))
    assert.deepEqual(problems, [], name)
    assert.equal(records.at(-1)?.type, 'disconnect')
  }
})

test('a cut log of version 1 gives every message that is whole', async () => {
  const { records, problems } = await contentsOf(golden('derived-v1-unterminated.auditlog'))
  assert.equal(records.length, 11)
  assert.deepEqual(
    problems.map(({ kind, offset }) => [kind, offset]),
    [['truncated', 418]],
  )
})
