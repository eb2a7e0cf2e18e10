import assert from 'node:assert/strict'
import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { batchOf, connect, newId, output, record, startAudit, until, worker } from './rig.ts'

const typesOf = (records: readonly { readonly type: string }[]): string[] => records.map(({ type }) => type)

test('a log has what its worker sent, in that order, and ends', async () => {
  await using rig = await startAudit()
  const one = worker(rig.audit)
  const id = newId()
  one.open(7, id)
  const sent: number[] = [one.send(7, connect, record('handshake_successful', null, { username: 'alice' }))]
  for (let block = 0; block < 200; block++) sent.push(one.send(7, output(`block ${block};`)))
  one.send(7, record('disconnect', null, null, 1_800_000_000_000_000_000n))
  one.close(7)
  await rig.closed()
  const { records, problems } = await rig.contents(id)
  assert.deepEqual(problems, [])
  assert.deepEqual(typesOf(records).slice(0, 3), ['connect', 'handshake_successful', 'io'])
  const text = records
    .map((each) => (each.type === 'io' ? Buffer.from(each.payload.data ?? []).toString() : ''))
    .join('')
  assert.equal(text, Array.from({ length: 200 }, (_, block) => `block ${block};`).join(''))
  assert.deepEqual(records.at(-1), { ...records.at(-1), type: 'disconnect', timestamp: 1_800_000_000_000_000_000n })
  assert.ok(records.every(({ connectionId }) => connectionId === id))
  assert.equal(lstatSync(join(rig.folder, id)).mode & 0o777, 0o600)
  assert.deepEqual(one.orders[0], { kind: 'audit-stored', ticket: 7, bytes: 0 })
  assert.ok(one.stored(7) >= sent.reduce((sum, bytes) => sum + bytes))
  assert.equal(rig.audit.gauges().waitingBytes, 0)
  assert.deepEqual(one.offences, [])
})

test('what is stored is in the file: a reader who comes then finds every record', async () => {
  await using rig = await startAudit()
  const one = worker(rig.audit)
  const id = newId()
  one.open(1, id)
  const bytes = one.send(1, connect, output('so far'))
  await until('the batch to be stored', () => one.stored(1) === bytes)
  const { records, problems } = await rig.contents(id)
  assert.deepEqual([typesOf(records), problems], [['connect', 'io'], []])
})

test('batches that come while the disk is written are one member of the file', async () => {
  await using rig = await startAudit()
  const one = worker(rig.audit)
  const id = newId()
  one.open(1, id)
  for (let block = 0; block < 500; block++) one.send(1, output('x'))
  one.close(1)
  await rig.closed()
  const members = rig.bytes(id).toString('latin1').split('\x1f\x8b\x08').length - 1
  assert.ok(members < 20, `${members} members`)
  assert.equal((await rig.contents(id)).records.length, 501)
})

test('the death of a worker ends its logs with what it had sent, and no other log', async () => {
  await using rig = await startAudit()
  const [dying, living] = [worker(rig.audit), worker(rig.audit)]
  const [lost, kept] = [newId(), newId()]
  dying.open(1, lost)
  living.open(2, kept)
  dying.send(1, connect, output('last words'))
  living.send(2, connect)
  rig.audit.over(1)
  await until('the log to be closed', () => rig.audit.gauges().openLogs === 1)
  assert.deepEqual(typesOf((await rig.contents(lost)).records), ['connect', 'io', 'disconnect'])
  assert.ok(rig.records.some(({ code, labels }) => code === 'AUDIT_LOG_ABANDONED' && labels['log'] === lost))
  const bytes = living.send(2, output('goes on'))
  await until('the living to be stored', () => living.stored(2) > bytes)
  living.close(2)
  rig.audit.over(2)
  await rig.closed()
  assert.deepEqual(typesOf((await rig.contents(kept)).records), ['connect', 'io', 'disconnect'])
  assert.equal(rig.codes().filter((code) => code === 'AUDIT_LOG_ABANDONED').length, 1)
})

test('the end that the primary gives a log is not before its last record', async () => {
  await using rig = await startAudit()
  const one = worker(rig.audit)
  const id = newId()
  const future = BigInt(Date.now() + 3_600_000) * 1_000_000n
  one.open(1, id)
  one.send(1, record('io', 0, { stream: 1, data: Buffer.from('x') }, future))
  rig.audit.over(1)
  await rig.closed()
  assert.equal((await rig.contents(id)).records.at(-1)?.timestamp, future)
})

test('a log with the name of one that exists is not begun, and that one is not touched', async () => {
  await using rig = await startAudit()
  const one = worker(rig.audit)
  const id = newId()
  one.open(1, id)
  one.send(1, connect, output('mine'))
  one.close(1)
  await rig.closed()
  const before = rig.bytes(id)
  one.open(2, id)
  one.send(2, output('not mine'))
  await until('the refusal', () => one.failed(2) !== undefined)
  one.close(2)
  await rig.closed()
  assert.deepEqual(rig.bytes(id), before)
  assert.ok(rig.records.some(({ code, labels }) => code === 'AUDIT_OPEN_FAILED' && labels['log'] === id))
})

test('a worker that breaks the rules of the audit log is told of', async () => {
  await using rig = await startAudit()
  const rules: [string, (one: ReturnType<typeof worker>) => void][] = [
    ['records before the log is open', (one) => one.send(10, connect)],
    ['an end before the beginning', (one) => one.close(11)],
    [
      'two logs for a connection',
      (one) => {
        one.open(12, newId())
        one.open(12, newId())
      },
    ],
    [
      'records after the end',
      (one) => {
        one.open(13, newId())
        one.close(13)
        one.send(13, connect)
      },
    ],
    [
      'two ends',
      (one) => {
        one.open(14, newId())
        one.close(14)
        one.close(14)
      },
    ],
  ]
  for (const [rule, breaks] of rules) {
    const one = worker(rig.audit)
    breaks(one)
    assert.equal(one.offences.length, 1, rule)
  }
  const other = worker(rig.audit)
  other.open(20, newId())
  const forger = worker(rig.audit)
  forger.send(20, output('forged'))
  forger.close(20)
  assert.equal(forger.offences.length, 2)
  assert.deepEqual(other.offences, [])
  for (const ticket of [12, 13, 14, 20]) rig.audit.over(ticket)
  await rig.closed()
})

test('what is no batch, and what comes after the last record, offends; what was before stays', async () => {
  await using rig = await startAudit()
  const garbage = [Buffer.from('ff', 'hex'), Buffer.from('9301020304', 'hex'), Buffer.from('94cd03e7d3', 'hex')]
  for (const [ticket, bytes] of garbage.entries()) {
    const one = worker(rig.audit)
    const id = newId()
    one.open(ticket, id)
    one.raw(ticket, Buffer.concat([batchOf([connect, output('before')]), bytes]))
    await until('the offence', () => one.offences.length > 0)
    rig.audit.over(ticket)
    await rig.closed()
    assert.deepEqual(typesOf((await rig.contents(id)).records), ['connect', 'io', 'disconnect'])
  }
  const one = worker(rig.audit)
  one.open(9, newId())
  one.send(9, record('disconnect', null, null), output('after'))
  await until('the offence', () => one.offences.length > 0)
  rig.audit.over(9)
  await rig.closed()
})

test('a worker that sends far more than may wait is told of before it fills the memory', async () => {
  await using rig = await startAudit({ connectionBytes: 65_536 })
  const one = worker(rig.audit)
  one.open(1, newId())
  const block = output(Buffer.alloc(500_000))
  let sent = 0
  while (one.offences.length === 0 && sent < 100_000_000) sent += one.send(1, block)
  assert.ok(sent < 10_000_000, `${sent} bytes`)
  rig.audit.over(1)
  await rig.closed()
})

test('without a storage, or without a format, everything is taken and nothing kept', async () => {
  for (const nothing of [{ storage: 'none' as const }, { format: 'none' as const }]) {
    await using rig = await startAudit(nothing)
    const one = worker(rig.audit)
    one.open(1, newId())
    const bytes = one.send(1, connect, output('gone'))
    assert.equal(one.stored(1), bytes)
    one.close(1)
    rig.audit.over(1)
    assert.deepEqual(rig.names(), [])
    assert.equal(rig.audit.gauges().openLogs, 0)
  }
})

test('stopping waits for the logs that end', async () => {
  const rig = await startAudit()
  const one = worker(rig.audit)
  const ids = Array.from({ length: 50 }, () => newId())
  for (const [ticket, id] of ids.entries()) {
    one.open(ticket, id)
    one.send(ticket, connect, output('x'.repeat(10_000)))
    one.close(ticket)
  }
  await rig.end()
  for (const id of ids) {
    const { records, problems } = await rig.contents(id)
    assert.deepEqual([typesOf(records), problems], [['connect', 'io', 'disconnect'], []])
  }
  await rig[Symbol.asyncDispose]()
})
