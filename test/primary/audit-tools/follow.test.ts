import assert from 'node:assert/strict'
import { appendFileSync, rmSync } from 'node:fs'
import { test } from 'node:test'
import { compressed, headerBytes, logHeader } from '../../../src/shared/audit/file-format.ts'
import type { AuditRecord } from '../../../src/shared/audit/record.ts'
import { at, connectionId, packed } from '../../shared/audit/rig.ts'
import { audit, begin, fileOf, session } from './rig.ts'

const member = (records: readonly AuditRecord[]): Uint8Array => compressed(packed(records), 'gzip')
const end: AuditRecord = { connectionId, timestamp: at(9), type: 'disconnect', payload: null, channelId: null }
const { records } = session().pty(80, 24).shell().io(1, '$ make\r\n').io(1, 'all: done\r\n$ ').exit(0)

test('a log is printed while it grows, wherever it is cut, until the connection ends', async () => {
  for (const [words, first, second] of [
    [['follow'], /^\$ make\n$/, /all: done\n$/],
    [['follow', '--cast'], /"\$ make/, /all: done/],
    [['decode', '--follow'], /"stream":1,"data":"JCBtYWtlDQo="/, /"data":"YWxsOiBkb25lDQokIA=="/],
  ] as const) {
    const file = fileOf('growing', logHeader().subarray(0, 10))
    const tool = begin([...words, file])
    appendFileSync(file, logHeader().subarray(10))
    appendFileSync(file, member(records.slice(0, 3)))
    await tool.printed(first)
    const next = member(records.slice(3))
    appendFileSync(file, next.subarray(0, 20))
    appendFileSync(file, next.subarray(20))
    await tool.printed(second)
    // What comes behind the end is not waited for.
    appendFileSync(file, member([end]))
    const { status, err } = await tool.outcome
    assert.deepEqual([status, err], [0, ''])
  }
})

test('following ends when the file is removed, or nobody reads', async () => {
  const removed = fileOf('removed', Buffer.concat([logHeader(), member(records.slice(0, 3))]))
  const first = begin(['follow', removed])
  await first.printed(/make/)
  rmSync(removed)
  assert.deepEqual((await first.outcome).status, 0)
  const left = fileOf('left', Buffer.concat([logHeader(), member(records.slice(0, 3))]))
  const second = begin(['follow', left])
  await second.printed(/make/)
  second.stdout.destroy()
  assert.deepEqual((await second.outcome).status, 0)
  assert.equal(
    (await audit('follow', '/nonexistent/log')).err,
    '/nonexistent/log: expected a readable file, found: no such file\n',
  )
})

test('a log from standard input is read by every tool', async () => {
  const log = Buffer.concat([logHeader(), member(records), member([end])])
  const pieces = [log.subarray(0, headerBytes - 5), log.subarray(headerBytes - 5)]
  for (const [words, expected] of [
    [['decode', '-'], /"typeId":"exit"/],
    [['cast', '-'], /"exit: 0"/],
    [['text', '-'], /all: done/],
    [['follow', '-'], /all: done/],
    [['grep', 'done', '-'], /^-: .*all: done/],
    [['info', '-'], /"ended":true/],
    [['verify', '-'], /^-: unprotected/],
    [['html', '-'], /all: done/],
  ] as const) {
    const { out, err } = await begin(words, pieces).outcome
    assert.match(out, expected)
    assert.equal(err, '')
  }
})

test('decode prints only what is asked for, with readable times if wanted', async () => {
  const file = fileOf(
    'filtered',
    Buffer.concat([logHeader(), member(records), member(session(7).exec('x').records), member([end])]),
  )
  const types = async (...words: readonly string[]): Promise<string[]> => {
    const { status, out, err } = await audit('decode', ...words, file)
    assert.deepEqual([status, err], [0, ''])
    return out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line).typeId)
  }
  assert.deepEqual(await types('--type', 'exit,403'), ['exit', 'exec'])
  assert.deepEqual(await types('--channel', '7'), ['exec'])
  assert.deepEqual(await types('--channel', '0', '--since', '2023-11-14T22:13:20.4Z'), ['io', 'exit'])
  assert.deepEqual(await types('--until', '2023-11-14T23:13:20.200+01:00'), ['pty', 'exec'])
  const { out } = await audit('decode', '--time', 'rfc3339', '--type', 'exit', file)
  assert.match(out, /"timestamp":1700000000500000000,"time":"2023-11-14T22:13:20\.500000000Z","type":499,/)
})
