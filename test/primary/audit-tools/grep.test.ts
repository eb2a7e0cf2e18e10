import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timeText } from '../../../src/primary/audit-tools/time-text.ts'
import { audit, fileOf, goldenPath, logFile, session } from './rig.ts'

test('commands, screens, input and names are searched, in every file, and each line says where it is from', async () => {
  const told = session(3)
    .env('LANG', 'C.UTF-8')
    .pty(10, 5)
    .exec('rm -rf /srv')
    .io(0, 'yes please\r')
    .io(1, 'yes please\r\n')
  told.io(1, '\x1b[31mplease\x1b[0m go\r\n').exit(0)
  const file = logFile('grep', told.records)
  const { status, out } = await audit('grep', 'please|^rm|LANG', file)
  assert.equal(status, 0)
  assert.deepEqual(out.trimEnd().split('\n'), [
    `${file}: 2023-11-14T22:13:20.100000000Z channel 3 env: LANG=C.UTF-8`,
    `${file}: 2023-11-14T22:13:20.300000000Z channel 3 exec: rm -rf /srv`,
    `${file}: 2023-11-14T22:13:20.400000000Z channel 3 input: yes please`,
    `${file}: 2023-11-14T22:13:20.700000000Z channel 3 output: yes please`,
    `${file}: 2023-11-14T22:13:20.700000000Z channel 3 output: please go`,
  ])
  const who = await audit('grep', '^foo$|example', goldenPath('synthetic-all-types-v2.auditlog'), file)
  assert.match(who.out, /Z user: foo\n.*channel 2 forward: example\.com:443\n/)
})

test('the exit status is that of grep', async () => {
  const file = logFile('status', session().exec('true').records)
  assert.equal((await audit('grep', 'true', file)).status, 0)
  assert.equal((await audit('grep', 'false', file)).status, 1)
  const missing = await audit('grep', 'true', '/nonexistent/log', file)
  assert.deepEqual(
    [missing.status, missing.err],
    [2, '/nonexistent/log: expected a readable file, found: no such file\n'],
  )
  assert.match(missing.out, /exec: true/)
  const wrong = await audit('grep', '(', file)
  assert.deepEqual([wrong.status, wrong.out], [2, ''])
  assert.match(wrong.err, /^"\(": expected a regular expression in RE2 syntax, found: /)
  assert.equal((await audit('grep', 'x', fileOf('none', Buffer.from('no log')))).status, 2)
})

test('what was recorded cannot command the terminal of who searches', async () => {
  const file = logFile('escape', session().exec('echo \x1b]0;evil\x07\u202e\u2028').records)
  assert.match((await audit('grep', 'echo', file)).out, /exec: echo \\x1b\]0;evil\\x7\\x202e\\x2028\n$/)
})

test('times have all their digits, also before 1970', () => {
  assert.equal(timeText(-1n), '1969-12-31T23:59:59.999999999Z')
  assert.equal(timeText(2n ** 63n - 1n), '2262-04-11T23:47:16.854775807Z')
  assert.equal(timeText(-(2n ** 63n)), '1677-09-21T00:12:43.145224192Z')
})
