import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { compressed, headerBytes, logHeader } from '../../../src/shared/audit/file-format.ts'
import type { Problem } from '../../../src/shared/audit/problem.ts'
import type { AuditRecord } from '../../../src/shared/audit/record.ts'
import { recoverLog } from '../../../src/shared/audit/recover.ts'
import { at, connectionId, contentsOf, golden, goldens, packed } from './rig.ts'

async function recovered(log: Buffer): Promise<{ records: AuditRecord[]; gaps: Problem[] }> {
  const records: AuditRecord[] = []
  const gaps: Problem[] = []
  for await (const batch of recoverLog(log)) {
    for (const item of batch) {
      if (item.kind === 'record') records.push(item.record)
      if (item.kind === 'problem') gaps.push(item.problem)
    }
  }
  return { records, gaps }
}
const exit = (exitStatus: number): AuditRecord => ({
  connectionId,
  timestamp: at(exitStatus),
  type: 'exit',
  payload: { exitStatus },
  channelId: 0,
})
const noise: AuditRecord = {
  ...{ connectionId, timestamp: at(5), type: 'io', channelId: 0 },
  payload: { stream: 1, data: new Uint8Array(400).map((_, index) => (index * index * 7) >> 2) },
}
const members = [[exit(1), noise], [exit(2), exit(3)], [noise, exit(4)], [exit(5)]].map((batch, index) =>
  Buffer.from(compressed(packed(batch), index % 2 === 0 ? 'gzip' : 'zstd')),
)
const whole = Buffer.concat([logHeader(), ...members])
const statuses = (records: readonly AuditRecord[]): number[] =>
  records.flatMap((record) => (record.type === 'exit' ? [record.payload.exitStatus] : []))

test('of an undamaged log, recovery gives what reading gives, and no gap', async () => {
  const names = readdirSync(goldens).filter((name) => /^(reference|synthetic).*\.auditlog$/.test(name))
  assert.ok(names.length > 10)
  for (const log of [whole, golden('0-4-0.auditlog'), ...names.map(golden)]) {
    const { records, gaps } = await recovered(log)
    assert.deepEqual(records, (await contentsOf(log)).records)
    assert.deepEqual(gaps, [])
  }
})

test('whatever is done to one member, no message of the others is lost', async () => {
  const change = fc.tuple(fc.nat(), fc.nat(255))
  await fc.assert(
    fc.asyncProperty(
      fc.nat(3),
      fc.array(change, { minLength: 1, maxLength: 6 }),
      fc.nat(3),
      async (which, edits, how) => {
        const member = Buffer.from(members[which] ?? Buffer.of())
        for (const [place, byte] of edits) member[place % member.length] = byte
        const instead = [
          member,
          member.subarray(0, (edits[0]?.[0] ?? 0) % member.length),
          Buffer.of(),
          Buffer.alloc(99, 0xa0),
        ][how]
        const { records, gaps } = await recovered(
          Buffer.concat([logHeader(), ...members.with(which, instead ?? member)]),
        )
        const found = statuses(records)
        const expected = [[1], [2, 3], [4], [5]].flatMap((all, index) => (index === which ? [] : all))
        assert.deepEqual(
          found.filter((status) => expected.includes(status)),
          expected,
        )
        for (const { kind, final } of gaps) assert.deepEqual([kind, final], ['gap', false])
      },
    ),
    { numRuns: 300 },
  )
})

test('each gap is told with its place and length', async () => {
  const [first, second, third, fourth] = members
  assert.ok(first && second && third && fourth)
  const junk = Buffer.alloc(50, 0x20)
  const { records, gaps } = await recovered(Buffer.concat([logHeader(), first, junk, third, fourth.subarray(0, 10)]))
  assert.deepEqual(statuses(records), [1, 4])
  const places = gaps.map(({ offset, found }) => [offset, found])
  assert.deepEqual(places, [
    [headerBytes + first.length, '50 bytes that are none'],
    [headerBytes + first.length + 50 + third.length, '10 bytes that are none'],
  ])
})

test('in content, reading goes on with the next message', async () => {
  const one = Buffer.from(packed([exit(1)]))
  const broken = Buffer.concat([
    one.subarray(0, 60),
    packed([exit(2)]),
    Buffer.alloc(30, 0xff),
    packed([exit(3), exit(4)]),
  ])
  const log = Buffer.concat([logHeader(), compressed(broken, 'gzip')])
  const { records, gaps } = await recovered(log)
  assert.deepEqual(statuses(records), [2, 3, 4])
  assert.deepEqual(
    gaps.map(({ offset, content, found }) => [offset, content, found]),
    [
      [headerBytes, 0, '60 bytes that are none'],
      [headerBytes, 60 + one.length, '30 bytes that are none'],
    ],
  )
})

test('a log without its header is read as one of today, and a cut array of version 1 up to its end', async () => {
  const { records, gaps } = await recovered(whole.subarray(13))
  assert.deepEqual(statuses(records), [1, 2, 3, 4, 5])
  assert.equal(gaps[0]?.kind, 'gap')
  const cut = await recovered(golden('derived-v1-unterminated.auditlog'))
  assert.deepEqual([cut.records.length, cut.gaps], [11, []])
  assert.deepEqual((await recovered(Buffer.alloc(0))).records, [])
})
