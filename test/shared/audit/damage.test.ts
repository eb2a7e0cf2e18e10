import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { decodeLog } from '../../../src/shared/audit/decode.ts'
import { compressed, headerBytes, logHeader } from '../../../src/shared/audit/file-format.ts'
import type { AuditRecord } from '../../../src/shared/audit/record.ts'
import { mostRecordBytes } from '../../../src/shared/audit/record-reader.ts'
import { anyRecord, at, connectionId, contentsOf, golden, logOf, packed, rawLog } from './rig.ts'

const few = { numRuns: 60 }
const exit = (exitStatus: number): AuditRecord => ({
  connectionId,
  timestamp: at(exitStatus),
  type: 'exit',
  payload: { exitStatus },
  channelId: 1,
})
const kinds = async (log: Uint8Array): Promise<readonly [number, ...string[]]> => {
  const { records, problems } = await contentsOf(log)
  return [records.length, ...problems.map(({ kind, offset }) => `${kind} ${offset}`)]
}

test('what is packed is read back as it was, whatever it is', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(anyRecord, { maxLength: 5 }), { maxLength: 4 }),
      fc.boolean(),
      async (batches, z) => {
        const { records, problems, repaired } = await contentsOf(logOf(batches, z ? 'zstd' : 'gzip'))
        assert.deepEqual(records, batches.flat())
        assert.deepEqual([problems.filter(({ kind }) => kind !== 'no-content'), repaired], [[], 0])
      },
    ),
    few,
  )
})

test('how a log is cut into pieces on its way changes nothing', async () => {
  const logs = ['reference-0.6-kitchen-sink', 'derived-split-inside-message', 'derived-corrupt-crc', '0-4-0'].map(
    (name) => golden(`${name}.auditlog`),
  )
  logs.push(logOf([[exit(1), exit(2)], [exit(3)]], 'zstd'))
  for (const log of logs) {
    const whole = await contentsOf(log)
    assert.deepEqual(await contentsOf(...[...log].map((byte) => Uint8Array.of(byte))), whole)
    const cuts = fc.array(fc.nat(log.length), { maxLength: 8 }).map((list) => list.sort((a, b) => a - b))
    await fc.assert(
      fc.asyncProperty(cuts, async (places) => {
        const pieces = [...places, log.length].map((end, index) => log.subarray(places[index - 1] ?? 0, end))
        assert.deepEqual(await contentsOf(...pieces), whole)
      }),
      { numRuns: 15 },
    )
  }
})

test('a log that is cut off anywhere gives what came before, and at most one problem, at its end', async () => {
  for (const compression of ['gzip', 'zstd'] as const) {
    const batches = [[exit(1), exit(2)], [exit(3)], [exit(4), exit(5)]]
    const log = logOf(batches, compression)
    let before = 0
    for (let length = headerBytes; length <= log.length; length++) {
      const { records, problems } = await contentsOf(log.subarray(0, length))
      assert.deepEqual(records, batches.flat().slice(0, records.length))
      assert.ok(records.length >= before)
      assert.ok(problems.length <= 1)
      for (const { kind, offset } of problems) {
        assert.ok(kind === 'truncated' || kind === 'no-content')
        assert.equal(offset, kind === 'truncated' ? length : offset)
      }
      before = records.length
    }
    assert.equal(before, 5)
  }
})

test('every way in which a file is no log has a name and a place', async () => {
  const header = logHeader()
  const one = packed([exit(1)])
  const frame = (body: Uint8Array): Buffer => Buffer.concat([header, gzipSync(body)])
  assert.deepEqual(await kinds(Buffer.alloc(0)), [0, 'empty 0'])
  assert.deepEqual(await kinds(Buffer.from('# a note\n')), [0, 'magic 0'])
  assert.deepEqual(await kinds(header.subarray(0, 30)), [0, 'header-cut 30'])
  assert.deepEqual(await kinds(header), [0, 'no-content 40'])
  assert.deepEqual(await kinds(Buffer.concat([header.subarray(0, 32), Buffer.from([3, 0, 0, 0, 0, 0, 0, 1])])), [
    0,
    'version-high 32',
  ])
  const closed = Buffer.concat([header, compressed(one, 'gzip')])
  assert.deepEqual(await kinds(Buffer.concat([closed, Buffer.alloc(100)])), [1, `not-compressed ${closed.length}`])
  const wrongSum = Buffer.from(closed)
  wrongSum[closed.length - 5] = (wrongSum[closed.length - 5] ?? 0) ^ 1
  assert.deepEqual(await kinds(wrongSum), [1, `checksum ${closed.length - 8}`])
  assert.deepEqual(await kinds(frame(Buffer.concat([one, Buffer.of(0xff)]))), [1, 'not-cbor 40'])
  assert.deepEqual(await kinds(frame(Buffer.concat([one, Buffer.of(0x5b, 0, 0, 0, 1, 0, 0, 0, 0), one]))), [
    1,
    'too-large 40',
  ])
  assert.deepEqual(await kinds(frame(Buffer.concat([one, Buffer.of(0x9a, 0xff, 0xff, 0xff, 0xff), one]))), [
    1,
    'too-large 40',
  ])
  assert.deepEqual(await kinds(frame(Buffer.concat([one, Buffer.of(0x01), one]))), [1, 'not-a-map 40'])
  assert.deepEqual(await kinds(frame(Buffer.concat([Buffer.alloc(40, 0x81), one]))), [0, 'not-cbor 40'])
})

test('a message that cannot be understood is skipped, those around it are not', async () => {
  const number = await contentsOf(golden('derived-unknown-type.auditlog'))
  assert.deepEqual(
    [number.records.length, number.problems.map(({ kind, content }) => [kind, content])],
    [2, [['unknown-type', 73]]],
  )
  const field = await contentsOf(golden('derived-data-as-text.auditlog'))
  assert.deepEqual(
    [field.records.length, field.problems.map(({ kind, content }) => [kind, content])],
    [1, [['bad-field', 0]]],
  )
})

test('a gzip member may have every header field there is', async () => {
  const body = packed([exit(1)])
  const plain = gzipSync(body)
  const fields = Buffer.concat([Buffer.of(3, 0, 1, 2, 3), Buffer.from('name\0comment\0'), Buffer.of(9, 9)])
  const member = Buffer.concat([
    plain.subarray(0, 3),
    Buffer.of(0x1e),
    plain.subarray(4, 10),
    fields,
    plain.subarray(10),
  ])
  const log = Buffer.concat([logHeader(), member])
  assert.deepEqual(await kinds(log), [1])
  assert.deepEqual(await kinds(log.subarray(0, 60)), [0, 'no-content 60'])
})

test('mutated logs and arbitrary bytes give records and problems, never an exception', async () => {
  const logs = ['reference-0.6-kitchen-sink', 'derived-two-members-finished', '0-4-0'].map((name) =>
    golden(`${name}.auditlog`),
  )
  logs.push(logOf([[exit(1), exit(2)], [exit(3)]], 'zstd'))
  const change = fc.record({ place: fc.nat(1_000_000), value: fc.nat(255) })
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...logs),
      fc.array(change, { minLength: 1, maxLength: 4 }),
      async (log, changes) => {
        const mutated = Buffer.from(log)
        for (const { place, value } of changes) mutated[place % log.length] = value
        const { problems } = await contentsOf(mutated)
        assert.ok(problems.filter(({ final }) => final).length <= 1)
      },
    ),
    { numRuns: 150 },
  )
})

test('mutated CBOR gives records and problems, never an exception', async () => {
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .tuple(
        fc.array(anyRecord, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      )
      .map(([records, changes]) => {
        const bytes = packed(records)
        for (const [place, value] of changes) bytes[place % bytes.length] = value
        return bytes
      }),
  )
  await fc.assert(
    fc.asyncProperty(content, fc.constantFrom(1, 2), async (bytes, version) => {
      const log = rawLog([bytes])
      log[32] = version
      const { problems } = await contentsOf(log)
      assert.ok(problems.filter(({ final }) => final).length <= 1)
    }),
    { numRuns: 300 },
  )
})

test('of a small file that decompresses to very much, little is in memory at a time', async () => {
  // Each byte is a message of its own: an empty map.
  const messages = Buffer.alloc(32 * 1024 * 1024, 0xa0)
  for (const bomb of [gzipSync(messages), zstdCompressSync(messages)]) {
    let count = 0
    for await (const batch of decodeLog(one(Buffer.concat([logHeader(), bomb])))) {
      assert.ok(batch.length <= 32 * 1024)
      count += batch.length
      if (count > 200_000) break
    }
    assert.ok(count > 200_000)
  }
})

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

test('a message that never ends is given up at the limit', async () => {
  const endless = Buffer.concat([Buffer.of(0xbf, 0x64), Buffer.from('type'), Buffer.of(0x5f)])
  const parts = Buffer.concat([Buffer.of(0x59, 0xff, 0xff), Buffer.alloc(0xffff)])
  const count = Math.ceil(mostRecordBytes / parts.length) + 1
  const log = rawLog([packed([exit(1)]), Buffer.concat([endless, ...new Array<Buffer>(count).fill(parts)])])
  const { records, problems } = await contentsOf(log)
  assert.deepEqual([records.length, problems.map(({ kind }) => kind)], [1, ['too-large']])
})

test('a window of zstd that would take much memory is refused', async () => {
  // A frame header (RFC 8878 section 3.1.1) that asks for a window of 2 GiB.
  const frame = Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00)
  assert.deepEqual(await kinds(Buffer.concat([logHeader(), frame])), [0, 'damaged 40'])
})

test('raw deflate without a gzip header is no log', async () => {
  assert.deepEqual(await kinds(Buffer.concat([logHeader(), deflateRawSync(packed([exit(1)]))])), [
    0,
    'not-compressed 40',
  ])
})
