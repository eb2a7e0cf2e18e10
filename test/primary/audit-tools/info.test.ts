import assert from 'node:assert/strict'
import { test } from 'node:test'
import { audit, expectGolden, goldenPath, logFile, session } from './rig.ts'

test('a real session is told in one object: who, from where, what, and how it ended', async () => {
  for (const name of [
    'reference-0.6-kitchen-sink',
    'reference-0.6-auth-failed',
    'reference-0.6-sigkill',
    'synthetic-all-types-v2',
  ]) {
    const { status, out } = await audit('info', goldenPath(`${name}.auditlog`))
    const { file, ...rest } = JSON.parse(out)
    assert.equal(file, goldenPath(`${name}.auditlog`))
    const text = `${JSON.stringify(rest, undefined, 2)}\n`
    assert.equal(text, expectGolden(`${name}.info.json`, text))
    assert.equal(status, 0)
  }
})

test('what was refused is no program; bytes are counted for each stream', async () => {
  const told = session(3).exec('refused').refused().shell().io(0, 'ab').io(1, 'cde').io(2, 'f').io(1, 'g')
  const { out } = await audit('info', logFile('info', told.records))
  const { channels, ended, messages } = JSON.parse(out)
  const bytes = { stdin: 2, stdout: 4, stderr: 1 }
  assert.deepEqual(channels, [{ channel: '3', type: '', refused: 1, bytes, program: 'shell' }])
  assert.deepEqual([ended, messages], [false, 7])
})

test('each log has its object, and what cannot be read has none', async () => {
  const file = logFile('one', session().exec('true').records)
  const { status, out, err } = await audit('info', file, goldenPath('derived-empty.auditlog'), file)
  assert.deepEqual([status, out.split('\n').length - 1], [1, 2])
  assert.match(err, /expected an audit log, found an empty file/)
})
