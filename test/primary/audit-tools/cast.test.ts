import assert from 'node:assert/strict'
import { test } from 'node:test'
import { audit, expectGolden, goldenPath, logFile, session } from './rig.ts'

const events = async (records: ReturnType<typeof session>, ...words: readonly string[]): Promise<unknown[]> => {
  const { status, out, err } = await audit('cast', ...words, logFile('cast', records.records))
  assert.deepEqual([status, err], [0, ''])
  return out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

test('a real session becomes a recording with its header, sizes, input and end', async () => {
  for (const name of ['reference-0.6-pty-resize', 'reference-0.6-kitchen-sink', 'synthetic-all-types-v2']) {
    const { out, status } = await audit('cast', goldenPath(`${name}.auditlog`))
    assert.equal(out, expectGolden(`${name}.cast`, out))
    assert.equal(status, 0)
  }
})

test('a character that is cut over several blocks is whole, on each stream for itself', async () => {
  const told = session()
    .exec('x')
    .io(1, Uint8Array.of(0x61, 0xe2))
    .io(2, Uint8Array.of(0xc3))
    .io(1, Uint8Array.of(0x82))
  told.io(2, Uint8Array.of(0xa9)).io(1, Uint8Array.of(0xac)).io(0, Uint8Array.of(0xff, 0xc3)).exit(0)
  assert.deepEqual((await events(told)).slice(2), [
    [0.1, 'o', 'a'],
    [0.4, 'o', 'é'],
    [0.5, 'o', '€'],
    [0.6, 'i', '\ufffd'],
    [0.7, 'i', '\ufffd'],
    [0.7, 'm', 'exit: 0'],
  ])
})

test('what was refused is in no header and no event', async () => {
  const told = session().pty(80, 24).env('A', '1').pty(200, 60).refused().env('B', '2').refused().shell().refused()
  told.exec('true').window(100, 30).window(1, 1).refused().io(1, 'x')
  assert.deepEqual(await events(told), [
    {
      version: 2,
      width: 80,
      height: 24,
      timestamp: 1700000000,
      command: 'true',
      title: '',
      env: { A: '1', TERM: 'xterm' },
    },
    [0.8, 'm', 'exec: true'],
    [0.9, 'r', '100x30'],
    [1.2, 'o', 'x'],
  ])
})

test('only the first program of a channel is shown: no channel has two', async () => {
  const told = session().exec('first').io(1, 'a').exec('second').shell().io(1, 'b')
  assert.deepEqual((await events(told)).slice(1), [
    [0, 'm', 'exec: first'],
    [0.1, 'o', 'a'],
    [0.4, 'o', 'b'],
  ])
})

test('a terminal without a size has the usual one, and a session without events a header', async () => {
  const [header, ...none] = await events(session().pty(0, 0, ''))
  assert.deepEqual(header, {
    version: 2,
    width: 80,
    height: 25,
    timestamp: 1700000000,
    command: '',
    title: '',
    env: {},
  })
  assert.deepEqual(none, [])
})

test('time never runs backwards in a recording', async () => {
  const told = session().exec('x').io(1, 'a').io(1, 'b')
  const [first, second, third] = told.records
  assert.ok(first && second && third)
  const records = [first, third, second]
  const { out } = await audit('cast', logFile('backwards', records))
  assert.deepEqual(out.split('\n').slice(2, 4), ['[0.2,"o","b"]', '[0.2,"o","a"]'])
})

test('one channel is one recording; the others are named, and --channel chooses', async () => {
  const [a, b] = [session(4).exec('a').io(1, 'of a'), session(7).exec('b').io(1, 'of b')]
  const file = logFile('two', [...a.records, ...b.records])
  const first = await audit('cast', file)
  assert.match(first.out, /of a/)
  assert.doesNotMatch(first.out, /of b/)
  assert.deepEqual([first.status, first.err], [0, `${file}: this is channel 4; --channel shows another session: 7\n`])
  const second = await audit('cast', '--channel', '7', file)
  assert.match(second.out, /of b/)
  assert.doesNotMatch(second.out, /of a/)
  const none = await audit('cast', '--channel=5', file)
  assert.deepEqual([none.status, none.out, none.err], [1, '', `${file}: expected session channel 5, found only 4, 7\n`])
  const forward = await audit('cast', goldenPath('reference-0.6-auth-failed.auditlog'))
  assert.equal(forward.status, 1)
  assert.match(forward.err, /: expected a session channel, found none\n$/)
})

test('a cut log gives the recording up to there, and says that it is cut', async () => {
  const { status, out, err } = await audit('cast', goldenPath('derived-truncated-in-deflate.auditlog'))
  assert.equal(status, 1)
  assert.match(out, /"o","hello\\n"\]\n$/)
  assert.match(err, /byte 439: the log is cut off/)
})
