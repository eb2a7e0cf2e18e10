import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { parseArguments } from '../../../src/primary/arguments.ts'
import { headerBytes, logHeader } from '../../../src/shared/audit/file-format.ts'
import { connectionId, packed } from '../../shared/audit/rig.ts'
import { fileOf, goldenPath, goldenText, session } from './rig.ts'

const script = new URL('../../../src/primary/cli.ts', import.meta.url).pathname
const start = (...words: readonly string[]) => {
  const child = spawn(process.execPath, [script, 'audit', ...words], { timeout: 120_000 })
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  return { child, err: () => err }
}

/** The same member again and again, as long as one wants; `bytes` of what the user saw. */
const largeLog = (bytes: number): Buffer => {
  const line = `${'all work and no play '.repeat(30)}\n`
  const told = session().exec('x')
  const first = packed(told.records)
  told.records.length = 0
  const block = line.repeat(50)
  for (let size = 0; size < 512 * 1024; size += block.length) told.io(1, block)
  const member = gzipSync(packed(told.records))
  const count = Math.ceil(bytes / (512 * 1024))
  return Buffer.concat([logHeader(), gzipSync(first), ...new Array<Buffer>(count).fill(member)])
}

test('the command line runs the tools, and says what is wrong with itself with status 2', async () => {
  const { child, err } = start('decode', '--compat', goldenPath('synthetic-all-types-v2.auditlog'))
  const chunks = await child.stdout.toArray()
  assert.equal(Buffer.concat(chunks as Buffer[]).toString(), goldenText('synthetic-all-types-v2.ndjson'))
  assert.deepEqual([child.exitCode ?? (await once(child, 'close'))[0], err()], [0, ''])
  const wrong = start('cats', 'file')
  const [status] = await once(wrong.child, 'close')
  assert.equal(status, 2)
  assert.match(
    wrong.err(),
    /^audit needs one of decode, cast, text, follow, html, grep, info, files, verify, decrypt; did you mean cast\?\nUsage: /,
  )
})

test('words are understood, or it is said which are not', () => {
  const action = (...words: readonly string[]): unknown => {
    const parsed = parseArguments(['audit', ...words])
    return parsed.kind === 'audit' ? parsed.action : parsed.kind === 'wrong' ? parsed.message : parsed.kind
  }
  const all = { types: undefined, channel: undefined, since: undefined, until: undefined }
  const plain = { tool: 'decode', file: 'f', compat: false, follow: false, recover: false, time: false, filter: all }
  assert.deepEqual(action('decode', 'f'), plain)
  assert.deepEqual(action('decode', 'f', '-compat'), { ...plain, compat: true })
  assert.deepEqual(action('decode', '--follow', '-', '--time=rfc3339', '--identity', 'i'), {
    ...{ ...plain, file: '-', follow: true, time: true },
    identity: 'i',
  })
  assert.deepEqual(
    action(
      'decode',
      '--type',
      'io,403',
      '--type=1',
      '--channel',
      '2',
      '--since',
      '2026-01-31',
      '--until',
      '1970-01-01T01:00:00.25+01:00',
      'f',
    ),
    {
      ...plain,
      filter: {
        types: ['io', 'exec', 'disconnect'],
        channel: '2',
        since: 1_769_817_600_000_000_000n,
        until: 250_000_000n,
      },
    },
  )
  assert.deepEqual(action('follow', '--cast', 'f'), { tool: 'follow', file: 'f', channel: undefined, cast: true })
  assert.deepEqual(action('verify', '--key', 'k', 'f', 'g'), { tool: 'verify', files: ['f', 'g'], key: 'k' })
  assert.deepEqual(action('info', 'f'), { tool: 'info', files: ['f'] })
  assert.deepEqual(action('html', 'f'), { tool: 'html', file: 'f' })
  assert.deepEqual(action('text', '--channel=007', 'f'), { tool: 'text', file: 'f', channel: '7' })
  assert.deepEqual(action('cast', '--', '--channel'), { tool: 'cast', file: '--channel', channel: undefined })
  assert.deepEqual(action('grep', '--', '-x', 'f', 'g'), { tool: 'grep', pattern: '-x', files: ['f', 'g'] })
  assert.equal(action('--help'), 'help')
  assert.equal(action('cast', '-h'), 'help')
  assert.equal(action('decode'), 'audit decode needs exactly one file')
  assert.equal(action('text', 'a', 'b'), 'audit text needs exactly one file')
  assert.equal(action('grep', 'x'), 'audit grep needs a pattern and at least one file')
  assert.equal(action('verify'), 'audit verify needs at least one file')
  assert.equal(action('decode', '--compat', '-'), 'audit decode --compat cannot read standard input')
  assert.equal(
    action('decode', '--compat', '--follow', 'f'),
    'audit decode takes one of --compat, --follow and --recover',
  )
  assert.equal(action('decode', '--type', 'exek', 'f'), 'no message is called "exek"; did you mean exec?')
  assert.equal(action('decode', '--since', 'now', 'f'), 'flag --since needs a time such as 2026-01-31T18:00:00Z')
  assert.equal(action('decode', '--time', 'unix', 'f'), 'flag --time can be rfc3339')
  assert.equal(action('verify', 'f', '--key'), 'flag --key needs a value')
  assert.equal(action('text', '--type', '1', 'f'), 'unknown flag of audit text: --type')
  assert.equal(action('cast', '--channel', 'x', 'f'), 'flag --channel needs the number of a channel')
  assert.equal(action('decode', '--compat=no', 'f'), 'flag --compat takes no value')
})

test('a reader that goes away ends a tool without a word', async () => {
  const file = fileOf('large', largeLog(32 * 1024 * 1024))
  for (const words of [
    ['decode', file],
    ['text', file],
    ['cast', file],
    ['grep', 'play', file],
  ]) {
    const { child, err } = start(...words)
    await once(child.stdout, 'data')
    child.stdout.destroy()
    const [status, signal] = await once(child, 'close')
    assert.deepEqual([status, signal, err()], [0, null, ''], words[0] ?? '')
  }
})

test('a log of hundreds of megabytes is read in little memory, in many members and in one', async () => {
  const many = largeLog(256 * 1024 * 1024)
  const one = Buffer.concat([logHeader(), gzipSync(packed(new Array(2).fill(bigRecords).flat()), { level: 1 })])
  assert.ok(one.length > headerBytes)
  const program = `
    import { Writable } from 'node:stream'
    import { auditCommand } from ${urlOf('index.ts')}
    import { parseAuditArguments } from ${urlOf('arguments.ts')}
    let bytes = 0
    const out = new Writable({ decodeStrings: false, write: (text, _, done) => { bytes += text.length; done() } })
    const { action } = parseAuditArguments([process.argv[2], process.argv[1]])
    const status = await auditCommand(action, out, console.error)
    console.log(JSON.stringify({ status, bytes, kib: process.resourceUsage().maxRSS }))`
  for (const [tool, log, least] of [
    // As base64, a third more.
    ['decode', many, 340],
    ['text', one, 32],
  ] as const) {
    const arguments_ = ['--input-type=module-typescript', '-e', program, fileOf('huge', log), tool]
    const child = spawn(process.execPath, arguments_, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 240_000 })
    const result = JSON.parse(Buffer.concat((await child.stdout.toArray()) as Buffer[]).toString())
    assert.equal(result.status, 0)
    assert.ok(result.bytes >= least * 1024 * 1024 * 0.99, `${result.bytes} bytes were printed`)
    assert.ok(result.kib < 256 * 1024, `${result.kib} KiB at most`)
  }
})

function urlOf(file: string): string {
  return JSON.stringify(new URL(`../../../src/primary/audit-tools/${file}`, import.meta.url).href)
}

/** 16 MiB. */
const bigRecords = session()
  .exec('x')
  .records.concat(
    new Array(256).fill({
      connectionId,
      timestamp: 1n,
      type: 'io',
      payload: { stream: 1, data: Buffer.from(`${'x'.repeat(1023)}\n`.repeat(64)) },
      channelId: 0,
    }),
  )
