import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { createScp, scpDirection } from '../../../src/primary/audit-tools/transfers/scp.ts'
import { createSftp } from '../../../src/primary/audit-tools/transfers/sftp.ts'
import type { Done } from '../../../src/primary/audit-tools/transfers/transfer.ts'
import type { AuditRecord } from '../../../src/shared/audit/record.ts'
import { at, connectionId } from '../../shared/audit/rig.ts'
import { audit, logFile, session } from './rig.ts'

const folder = mkdtempSync(join(tmpdir(), 'audit-files-'))
after(() => rmSync(folder, { recursive: true }))
const content = randomBytes(1_000_001)
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const source = join(folder, 'source')
writeFileSync(source, content)
mkdirSync(join(folder, 'tree'))
writeFileSync(join(folder, 'tree', 'empty'), '')
writeFileSync(join(folder, 'tree', 'a b'), 'text\n')

/** What a real sftp client and a real server say to each other, in the order of time. */
async function sftp(batch: string): Promise<AuditRecord[]> {
  const log = join(folder, 'spoken')
  const relay = join(folder, 'relay.mjs')
  // The server is behind a program that writes down both directions.
  writeFileSync(
    relay,
    `import { spawn } from 'node:child_process'
     import { appendFileSync } from 'node:fs'
     const server = spawn('/usr/lib/openssh/sftp-server', [], { stdio: ['pipe', 'pipe', 'inherit'] })
     const note = (stream, data) => appendFileSync(${JSON.stringify(log)}, JSON.stringify([stream, data.toString('base64')]) + '\\n')
     process.stdin.on('data', (data) => { note(0, data); server.stdin.write(data) }).on('end', () => server.stdin.end())
     server.stdout.on('data', (data) => { note(1, data); process.stdout.write(data) })`,
  )
  const command = join(folder, 'relay.sh')
  writeFileSync(command, `#!/bin/sh\nexec ${process.execPath} ${relay}\n`, { mode: 0o755 })
  writeFileSync(join(folder, 'batch'), batch)
  writeFileSync(log, '')
  await promisify(execFile)('sftp', ['-q', '-D', command, '-b', join(folder, 'batch')])
  const spoken = readFileSync(log, 'utf8').trimEnd().split('\n')
  return spoken.map((line) => {
    const [stream, data] = JSON.parse(line) as [0 | 1, string]
    return io(stream, Buffer.from(data, 'base64'))
  })
}
const io = (stream: 0 | 1, data: Uint8Array): AuditRecord => ({
  ...{ connectionId, timestamp: at(1), channelId: 0 },
  ...({ type: 'io', payload: { stream, data } } as const),
})
const subsystem: AuditRecord = {
  ...{ connectionId, timestamp: at(0), channelId: 0 },
  ...({ type: 'subsystem', payload: { requestId: 0, subsystem: 'sftp' } } as const),
}
const listed = (out: string): Record<string, unknown>[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

test('files that a real sftp client sends and fetches are listed with their hashes, and written if wanted', async () => {
  const target = join(folder, 'by sftp')
  const records = await sftp(
    `put ${source} "${target}"\nget "${target}" ${join(folder, 'back')}\nput -r ${join(folder, 'tree')} ${join(folder, 'tree2')}\n`,
  )
  const output = mkdtempSync(join(folder, 'output-'))
  const { status, out, err } = await audit('files', '--output', output, logFile('sftp', [subsystem, ...records]))
  assert.deepEqual([status, err], [0, ''])
  const found = listed(out)
  const of = (direction: string, path: string) =>
    found.find((one) => one['direction'] === direction && one['path'] === path)
  for (const direction of ['upload', 'download']) {
    const { file, ...rest } = of(direction, target) ?? {}
    const facts = { channel: '0', time: '2023-11-14T22:13:21.000000000Z', protocol: 'sftp', direction, path: target }
    assert.deepEqual(rest, { ...facts, bytes: content.length, sha256: sha256(content), whole: true })
    assert.ok(readFileSync(String(file)).equals(content))
    assert.match(String(file), /\/000\d-by_sftp$/)
  }
  const empty = of('upload', join(folder, 'tree2/empty'))
  assert.deepEqual([empty?.['bytes'], empty?.['whole'], empty?.['sha256']], [0, true, sha256(Buffer.of())])
  assert.equal(of('upload', join(folder, 'tree2/a b'))?.['bytes'], 5)
  assert.equal(readdirSync(output).length, 4)
})

/** The side that has the files, with somebody who agrees to everything. */
async function scpSource(...words: readonly string[]): Promise<Buffer> {
  const child = spawn('scp', words, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => undefined)
  child.stdin.end(Buffer.alloc(100))
  return Buffer.concat((await child.stdout.toArray()) as Buffer[])
}

test('files that a real scp sends in its old protocol are listed, in both directions', async () => {
  const program = ['-r', '-p', '-f']
  const told = await scpSource(...program, source, join(folder, 'tree'))
  for (const [words, stream, direction] of [
    ['scp -r -p -f /x', 1, 'download'],
    ['/usr/bin/scp -rp -d -t /x', 0, 'upload'],
  ] as const) {
    const channel = session().exec(words)
    for (let from = 0; from < told.length; from += 30_000) channel.io(stream, told.subarray(from, from + 30_000))
    const { status, out } = await audit('files', logFile('scp', channel.records))
    assert.equal(status, 0)
    const found = listed(out).map(({ path, bytes, sha256: hash, whole, direction: way }) => [
      path,
      bytes,
      hash,
      whole,
      way,
    ])
    assert.deepEqual(
      new Map(found.map(([path, ...rest]) => [path, rest])),
      new Map([
        ['source', [content.length, sha256(content), true, direction]],
        ['tree/empty', [0, sha256(Buffer.of()), true, direction]],
        ['tree/a b', [5, sha256(Buffer.from('text\n')), true, direction]],
      ]),
    )
  }
})

test('a copy that did not end, or of which a part is missing, is not whole', async () => {
  const records = await sftp(`put ${source} ${join(folder, 'other')}\n`)
  const cut = await audit('files', logFile('cut', [subsystem, ...records.slice(0, records.length / 2)]))
  const [upload] = listed(cut.out)
  assert.equal(upload?.['whole'], false)
  const told = (await scpSource('-f', source)).subarray(0, 5000)
  const [download] = listed((await audit('files', logFile('cut', session().exec('scp -f x').io(1, told).records))).out)
  assert.deepEqual([download?.['whole'], Number(download?.['bytes']) < 5000], [false, true])
})

test('a folder that cannot be written to is said, and names lead nowhere else', async () => {
  const told = await scpSource('-f', source)
  const evil = Buffer.concat([Buffer.from('C0644 2 ../../evil\0\x1b\nhi\0'), told])
  const file = logFile('evil', session().exec('scp -f x').io(1, evil).records)
  const output = mkdtempSync(join(folder, 'evil-'))
  assert.equal((await audit('files', '--output', output, file)).status, 0)
  assert.deepEqual(readdirSync(output), ['0001-evil__', '0002-source'])
  const { status, err } = await audit('files', '--output', '/nonexistent', file)
  assert.equal(status, 1)
  assert.match(err, /: expected to write \/nonexistent\/0001-evil__, found: ENOENT/)
})

test('only the far end of scp is taken for scp', () => {
  assert.equal(scpDirection('scp -t /tmp'), 'upload')
  assert.equal(scpDirection('/usr/bin/scp -v -f -- /tmp'), 'download')
  for (const other of ['scp a b:', 'myscp -t x', 'echo scp-t', 'cat -f']) assert.equal(scpDirection(other), undefined)
})

test('whatever is in the streams, reading them ends well', async () => {
  const seeds = (await sftp(`put "${join(folder, 'tree', 'a b')}" ${join(folder, 'third')}\n`)).flatMap((record) =>
    record.type === 'io'
      ? [{ stream: Number(record.payload.stream), data: Buffer.from(record.payload.data ?? []) }]
      : [],
  )
  const scp = await scpSource('-r', '-f', join(folder, 'tree'))
  const change = fc.tuple(fc.nat(), fc.nat(), fc.nat(255))
  fc.assert(
    fc.property(fc.array(change, { maxLength: 5 }), fc.uint8Array(), (changes, noise) => {
      const done: Done[] = []
      const watcher = {
        begun: () => ({ file: undefined, write() {}, close() {} }),
        done: (one: Done) => done.push(one),
      }
      const parts = [
        ...seeds.map(({ stream, data }) => ({ stream, data: Buffer.from(data) })),
        { stream: 1, data: Buffer.from(scp) },
      ]
      for (const [which, place, byte] of changes) {
        const data = parts[which % parts.length]?.data
        if (data !== undefined && data.length > 0) data[place % data.length] = byte
      }
      for (const extractor of [createSftp(watcher), createScp('download', watcher)]) {
        for (const { stream, data } of [...parts, { stream: 1, data: Buffer.from(noise) }]) extractor.add(stream, data)
        extractor.end()
      }
      for (const { bytes } of done) assert.ok(bytes >= 0)
    }),
    { numRuns: 300 },
  )
})
