import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { jsonLine } from '../../../src/primary/audit-tools/json.ts'
import type { AuditRecord } from '../../../src/shared/audit/record.ts'
import { goldens, logOf } from '../../shared/audit/rig.ts'
import { audit, fileOf, goldenPath, goldenText, session } from './rig.ts'

const names = readdirSync(goldens)
  .filter((name) => name.endsWith('.auditlog'))
  .map((name) => name.slice(0, -'.auditlog'.length))
const spurious = '{"error":"failed to decode messages (EOF)"}\n'
const renamed = (text: string): string =>
  text
    .replaceAll(
      '"type":198,"typeId":"invalid","typeName":"invalid"',
      '"type":198,"typeId":"handshake_failed","typeName":"Handshake failed"',
    )
    .replaceAll(
      '"type":199,"typeId":"invalid","typeName":"invalid"',
      '"type":199,"typeId":"handshake_successful","typeName":"Handshake successful"',
    )
const errors = /^\{"error":.*\n/gm

test("decode --compat prints byte for byte what the Go program's decoder does, but not its complaint about a log that ends well", async () => {
  assert.ok(names.length > 30)
  for (const name of names.filter((each) => each !== 'derived-version-0')) {
    const { status, out, err } = await audit('decode', '--compat', goldenPath(`${name}.auditlog`))
    assert.equal(out, goldenText(`${name}.ndjson`).replace(spurious, ''), name)
    assert.deepEqual([status, err], [0, ''], name)
  }
})

test('a log of version 0 is an error, where the Go program says nothing', async () => {
  const { out } = await audit('decode', '--compat', goldenPath('derived-version-0.auditlog'))
  assert.equal(out, '{"error":"byte 32: expected version 1 to 2 of the format, found 0"}\n')
})

test('without --compat the handshake has its name, and standard output has nothing but messages', async () => {
  for (const name of names.filter((each) => !/unknown-type|data-as-text|v1-unterminated|invalid-utf8/.test(each))) {
    const { status, out, err } = await audit('decode', goldenPath(`${name}.auditlog`))
    assert.equal(out, renamed(goldenText(`${name}.ndjson`)).replaceAll(errors, ''), name)
    assert.equal(status, err === '' ? 0 : 1, name)
    // What had an error of its own still has one, but on standard error.
    if (errors.test(goldenText(`${name}.ndjson`).replace(spurious, ''))) assert.notEqual(err, '', name)
  }
})

test('where the Go program stops, the rest of the log is printed, too', async () => {
  const lines = async (name: string): Promise<readonly [number, number, number]> => {
    const { out, err, status } = await audit('decode', goldenPath(`${name}.auditlog`))
    return [out.split('\n').length - 1, err.split('\n').length - 1, status]
  }
  assert.deepEqual(await lines('derived-unknown-type'), [2, 1, 1])
  assert.deepEqual(await lines('derived-data-as-text'), [1, 1, 1])
  assert.deepEqual(await lines('derived-v1-unterminated'), [11, 1, 1])
  assert.deepEqual(await lines('reference-0.6-invalid-utf8'), [12, 0, 0])
})

test('what is wrong with a file is one line with file, byte, what was expected and what was found', async () => {
  const cases: readonly (readonly [string, string])[] = [
    ['derived-empty', 'byte 0: expected an audit log, found an empty file'],
    ['derived-header-only', 'byte 40: expected a gzip member or a zstd frame, found the end of the file'],
    [
      'derived-corrupt-crc',
      'byte 392: expected checksum 45c2518c and length 1141 of the gzip member that begins at byte 40, found 0 and 0',
    ],
    [
      'derived-truncated-in-deflate',
      'byte 439: the log is cut off: expected the rest of the gzip member that begins at byte 40, found the end of the file',
    ],
    [
      'derived-unknown-type',
      'byte 73 of what is compressed from byte 40: expected a known message number, found 99; skipped it',
    ],
  ]
  for (const [name, message] of cases) {
    const file = goldenPath(`${name}.auditlog`)
    const { status, err } = await audit('decode', file)
    assert.deepEqual([status, err], [1, `${file}: ${message}\n`])
  }
  for (const [file, found] of [
    ['/nonexistent/log', 'no such file'],
    [goldens, 'a directory'],
  ]) {
    const { status, err } = await audit('decode', file ?? '')
    assert.deepEqual([status, err], [1, `${file}: expected a readable file, found: ${found}\n`])
  }
})

test('a log that is nothing but damage is not complained about without end', async () => {
  const { gzipSync } = await import('node:zlib')
  const { logHeader } = await import('../../../src/shared/audit/file-format.ts')
  // Maps whose only key says that they are message number 23.
  const message = Buffer.concat([Buffer.of(0xa1, 0x64), Buffer.from('type'), Buffer.of(0x17)])
  const log = Buffer.concat([logHeader(), gzipSync(Buffer.concat(new Array<Buffer>(1000).fill(message)))])
  const { status, out, err } = await audit('decode', fileOf('damage', log))
  assert.deepEqual([status, out, err.split('\n').length - 1], [1, '', 21])
})

test('with --recover, decode goes on behind damage, and says what it left out', async () => {
  const log = logOf([
    session().exec('first').records,
    session().exec('second').records,
    session().exec('third').records,
  ])
  const second = log.indexOf(Buffer.of(0x1f, 0x8b, 8), 60)
  log.fill(0x55, second + 20, second + 40)
  const file = fileOf('to-recover', log)
  const plain = await audit('decode', file)
  assert.doesNotMatch(plain.out, /third/)
  const { status, out, err } = await audit('decode', '--recover', file)
  assert.match(out, /"program":"first".*\n.*"program":"third"/)
  assert.match(err, new RegExp(`byte ${second}: expected a message, found \\d+ bytes that are none; skipped it\n`))
  assert.equal(status, 1)
})

test('facts that the format has no field for stand at the end of the line, but not for the Go program', () => {
  const record: AuditRecord = {
    connectionId: '0123456789abcdef0123456789abcdef',
    timestamp: 1n,
    type: 'handshake_successful',
    payload: { username: 'alice' },
    channelId: null,
    facts: { clientVersion: 'SSH-2.0-<x>' },
  }
  assert.match(jsonLine(record, 'ours'), /,"channelId":null,"facts":\{"clientVersion":"SSH-2.0-\\u003cx\\u003e"\}\}$/)
  assert.match(jsonLine(record, 'compat'), /,"channelId":null\}$/)
})
