import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openAudit } from '../../../src/primary/audit/index.ts'
import { describeCause, Fault } from '../../../src/shared/codes/fault.ts'
import { defaults } from '../../../src/shared/config/schema.ts'
import { createLog } from '../../../src/shared/log.ts'
import { smallDisk } from '../../rigs/small-disk.ts'
import { contentsOf } from '../../shared/audit/rig.ts'
import { connect, newId, output, startAudit, until, worker } from './rig.ts'

const blockBytes = 40_000
/** Cannot be compressed. */
const block = () => output(randomBytes(blockBytes))

test('a full disk ends the log: it holds every batch that was told to be stored, and no half one', async () => {
  using disk = smallDisk(2 ** 20)
  await using rig = await startAudit({ file: { directory: disk.folder } })
  const one = worker(rig.audit)
  const id = newId()
  one.open(1, id)
  let stored = one.send(1, connect)
  await until('the first', () => one.stored(1) === stored)
  while (one.failed(1) === undefined) {
    const bytes = one.send(1, block())
    await until('an answer', () => one.stored(1) === stored + bytes || one.failed(1) !== undefined)
    if (one.failed(1) === undefined) stored += bytes
  }
  assert.match(one.failed(1) ?? '', /ENOSPC/)
  // Nothing hangs, and nothing more is written, though there is room for it.
  one.send(1, output('more'))
  one.close(1)
  rig.audit.over(1)
  await rig.closed()
  const { records, problems } = await contentsOf(readFileSync(join(disk.folder, id)))
  assert.deepEqual(problems, [])
  assert.equal(records.filter(({ type }) => type === 'io').length, Math.floor(stored / blockBytes))
  assert.equal(records.at(-1)?.type, 'io')
  assert.ok(rig.records.some(({ code, labels }) => code === 'AUDIT_WRITE_FAILED' && labels['log'] === id))
})

test('a disk that is full from the start: the log cannot begin, or not get its first record', async () => {
  using disk = smallDisk(2 ** 18)
  await using rig = await startAudit({ file: { directory: disk.folder } })
  disk.fill(0)
  const one = worker(rig.audit)
  one.open(1, newId())
  one.send(1, connect)
  await until('the failure', () => one.failed(1) !== undefined)
  rig.audit.over(1)
  await rig.closed()
})

for (const onFailure of ['end', 'continue'] as const) {
  test(`of two storages one is full: onFailure ${onFailure}`, async () => {
    using disk = smallDisk(2 ** 18)
    await using rig = await startAudit({
      onFailure,
      moreStorages: ['s3'],
      s3: { ...defaults().audit.s3, local: disk.folder, bucket: 'b', endpoint: 'http://127.0.0.1:9', accessKey: 'a' },
    })
    const one = worker(rig.audit)
    const id = newId()
    one.open(1, id)
    const count = 20
    for (let index = 0, sent = 0; index < count; index++) {
      sent += one.send(1, block())
      await until('an answer', () => one.stored(1) === sent || one.failed(1) !== undefined)
    }
    await until('the disk to be full', () => rig.codes().includes('AUDIT_WRITE_FAILED'))
    one.close(1)
    await rig.closed()
    const whole = await rig.contents(id)
    const cut = await contentsOf(readFileSync(join(disk.folder, id)))
    assert.deepEqual([whole.problems, cut.problems], [[], []])
    assert.ok(cut.records.length < count)
    assert.notEqual(cut.records.at(-1)?.type, 'disconnect')
    if (onFailure === 'continue') {
      assert.equal(one.failed(1), undefined)
      assert.equal(whole.records.length, count + 1)
      assert.equal(whole.records.at(-1)?.type, 'disconnect')
    } else assert.match(one.failed(1) ?? '', /ENOSPC/)
    rmSync(join(disk.folder, id))
  })
}

test('with onFailure: continue and no other storage the worker is told that nothing more is kept', async () => {
  using disk = smallDisk(2 ** 18)
  await using rig = await startAudit({ file: { directory: disk.folder }, onFailure: 'continue' })
  const one = worker(rig.audit)
  one.open(1, newId())
  for (let index = 0; index < 20; index++) one.send(1, block())
  await until('the failure', () => one.failed(1) !== undefined)
  assert.ok(one.stored(1) < 2 ** 18)
  rig.audit.over(1)
  await rig.closed()
  assert.equal(rig.codes().includes('AUDIT_LOG_ABANDONED'), false)
})

test('little space: connections are refused with a text, and taken again when there is room', async () => {
  using disk = smallDisk(2 ** 20)
  await using rig = await startAudit({ file: { directory: disk.folder }, lowDiskBytes: 2 ** 19 })
  assert.equal(rig.audit.refusal('192.0.2.1'), undefined)
  disk.fill(2 ** 17)
  const refusal = await until('the refusal', () => rig.audit.refusal('192.0.2.1'))
  assert.equal(refusal?.reason, 'audit')
  assert.equal(refusal?.fault.code, 'AUDIT_CONNECTION_REFUSED')
  assert.match(refusal?.fault.userText ?? '', /cannot record sessions/)
  disk.fill(2 ** 19 + 2 ** 17)
  await until('room', () => rig.audit.refusal('192.0.2.1') === undefined)
  assert.deepEqual(
    rig.codes().filter((code) => code.startsWith('AUDIT_DISK')),
    ['AUDIT_DISK_LOW', 'AUDIT_DISK_RECOVERED'],
  )
})

test('a folder that goes away while the daemon runs costs new logs, not those that are open', async () => {
  await using rig = await startAudit()
  const one = worker(rig.audit)
  one.open(1, newId())
  const bytes = one.send(1, connect)
  await until('the first', () => one.stored(1) === bytes)
  rmSync(rig.folder, { recursive: true })
  one.open(2, newId())
  await until('the failure', () => one.failed(2) !== undefined)
  const more = one.send(1, output('x'))
  await until('the open one', () => one.stored(1) === bytes + more)
  for (const ticket of [1, 2]) rig.audit.over(ticket)
  await rig.closed()
})

test('a folder that cannot be used is an error of the configuration that names the option', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'containerssh-audit-'))
  const [file, readable] = [join(parent, 'file'), join(parent, 'folder')]
  writeFileSync(file, '')
  mkdirSync(readable)
  const wrong = [
    [join(parent, 'none'), /audit\.file\.directory: ".*none" cannot be used: ENOENT/],
    [file, /audit\.file\.directory: ".*file" is no folder/],
    ['/proc', /audit\.file\.directory: "\/proc" cannot be written to/],
  ] as const
  const base = defaults()
  const log = createLog({ level: 'debug', write: () => undefined })
  const open = (directory: string) => {
    const audit = {
      ...base.audit,
      enable: true,
      format: 'binary' as const,
      storage: 'file' as const,
      file: { directory },
    }
    return openAudit({ ...base, audit }, [], log)
  }
  for (const [directory, expected] of wrong) {
    await assert.rejects(open(directory), (error) => {
      assert.ok(error instanceof Fault)
      assert.equal(error.code, 'CORE_CONFIG_ERROR')
      assert.match(describeCause(error), expected)
      return true
    })
  }
  chmodSync(readable, 0o700)
  const stop = AbortSignal.abort()
  await (await open(readable)).service.run({ stop, running: () => undefined })
  assert.deepEqual(readdirSync(readable), [])
  rmSync(parent, { recursive: true })
})
