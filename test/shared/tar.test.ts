/** GNU tar reads what is written, and writes what is read. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { firstFileOf, type TarFile, tarOf } from '../../src/shared/tar.ts'

const file = (name: string, content: string | Uint8Array, more: Partial<TarFile> = {}): TarFile => ({
  ...{ name, content: Buffer.from(content), mode: 0o600, uid: 1000, gid: 100, mtime: 1_700_000_000 },
  ...more,
})
const list = (archive: Buffer): string[] =>
  execFileSync('tar', ['-tv', '--numeric-owner', '--full-time', '--utc', '--quoting-style=literal', '-f', '-'], {
    input: archive,
    encoding: 'utf8',
  })
    .trim()
    .split('\n')
    .map((line) => line.replace(/ +/g, ' '))

test('names, owners, modes, times and sizes are those of the files', () => {
  const long = 'x'.repeat(255)
  const archive = tarOf([
    file('plain', 'hello'),
    file(long, ''),
    file('größe', 'a'.repeat(513), { mode: 0o644, uid: 3_000_000, gid: 2 ** 31 }),
  ])
  assert.deepEqual(list(archive), [
    '-rw------- 1000/100 5 2023-11-14 22:13:20 plain',
    `-rw------- 1000/100 0 2023-11-14 22:13:20 ${long}`,
    '-rw-r--r-- 3000000/2147483648 513 2023-11-14 22:13:20 größe',
  ])
})

test('contents come out byte by byte, whatever their size', () => {
  for (const size of [0, 1, 511, 512, 513, 70_000]) {
    const content = Buffer.from(Array.from({ length: size }, (_, i) => i % 251))
    const archive = tarOf([file('f', content)])
    assert.ok(execFileSync('tar', ['-xO', '-f', '-'], { input: archive }).equals(content))
    assert.ok(firstFileOf(archive)?.equals(content))
  }
})

test('the first file of an archive of GNU tar is found behind its folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-tar-'))
  try {
    writeFileSync(join(folder, 'passwd'), 'root:x:0:0::/:/bin/sh\n')
    const archive = execFileSync('tar', ['-c', '-C', folder, '.'])
    assert.equal(firstFileOf(archive)?.toString(), 'root:x:0:0::/:/bin/sh\n')
    assert.equal(firstFileOf(Buffer.alloc(1024)), undefined)
    assert.equal(firstFileOf(Buffer.from('no archive'.repeat(100))), undefined)
    assert.equal(firstFileOf(Buffer.alloc(0)), undefined)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
