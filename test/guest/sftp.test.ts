/** The helper's SFTP server under the OpenSSH client, with and without bounds. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { finish } from '../rigs/ssh.ts'
import { helper } from './program.ts'

/** A folder `inside` with a file and ways out of it, beside a secret. */
function tree() {
  const root = mkdtempSync(join(tmpdir(), 'containerssh-sftp-'))
  const inside = join(root, 'inside')
  mkdirSync(join(inside, 'folder'), { recursive: true })
  writeFileSync(join(root, 'secret'), 'secret')
  writeFileSync(join(inside, 'file'), 'content')
  symlinkSync('../secret', join(inside, 'up'))
  symlinkSync(root, join(inside, 'out'))
  symlinkSync('file', join(inside, 'link'))
  return { root, inside, [Symbol.dispose]: () => rmSync(root, { recursive: true }) }
}

/** Commands of sftp(1), each of which may fail. */
async function sftp(bounds: readonly string[], commands: readonly string[]) {
  const server = [await helper(), 'sftp-server', ...bounds].join(' ')
  const child = spawn('sftp', ['-q', '-b', '-', '-D', server], { stdio: ['pipe', 'pipe', 'pipe'] })
  const { stdout, stderr } = await finish(child, Buffer.from(commands.map((one) => `-${one}\n`).join('')))
  return { said: stdout.toString(), stderr }
}

describe('sftp-server', () => {
  test('copies both ways, renames, links, changes modes and removes', async () => {
    using place = tree()
    const at = (name: string): string => join(place.inside, name)
    const large = Buffer.alloc(1_000_000, 'large')
    writeFileSync(join(place.root, 'large'), large)
    await sftp(
      [],
      [
        `put ${place.root}/large ${at('copy')}`,
        `chmod 640 ${at('copy')}`,
        `rename ${at('copy')} ${at('renamed')}`,
        `get ${at('renamed')} ${place.root}/back`,
        `ln -s file ${at('symbolic')}`,
        `rm ${at('file')}`,
        `rmdir ${at('folder')}`,
      ],
    )
    assert.deepEqual(readFileSync(join(place.root, 'back')), large)
    assert.equal(statSync(at('renamed')).mode & 0o777, 0o640)
    assert.deepEqual(
      ['copy', 'file', 'folder'].map((name) => existsSync(at(name))),
      [false, false, false],
    )
  })

  test('with a root is that folder alone, whatever symbolic links say', async () => {
    using place = tree()
    const got = join(place.root, 'got')
    const { said, stderr } = await sftp(
      ['--root', place.inside],
      [
        'pwd',
        'ls',
        `get link ${got}`,
        ...['up', 'out/secret', '../secret', join(place.root, 'secret')].map((name) => `get ${name} ${got}.stolen`),
        `put ${got} out/planted`,
        `put ${got} new`,
        'rename new moved',
        'chmod 600 moved',
        'mkdir another',
      ],
    )
    assert.match(said, /working directory: \/$/m)
    assert.match(said, /^file\s/m)
    assert.equal(readFileSync(got, 'utf8'), 'content')
    assert.equal(existsSync(`${got}.stolen`), false, stderr)
    assert.equal(existsSync(join(place.root, 'planted')), false)
    assert.equal(statSync(join(place.inside, 'moved')).mode & 0o777, 0o600)
    assert.ok(existsSync(join(place.inside, 'another')))
  })

  test('can be read only, with a root and without', async () => {
    using place = tree()
    for (const [bounds, folder] of [
      [['--root', place.inside], ''],
      [[], `${place.inside}/`],
    ] as const) {
      const got = join(place.root, `got${bounds.length}`)
      const { stderr } = await sftp(
        [...bounds, '--read-only'],
        [
          `get ${folder}file ${got}`,
          `put ${got} ${folder}new`,
          `put ${got} ${folder}file`,
          `rename ${folder}file ${folder}moved`,
          `chmod 777 ${folder}file`,
          `ln -s x ${folder}symbolic`,
          `mkdir ${folder}another`,
          `rmdir ${folder}folder`,
          `rm ${folder}file`,
        ],
      )
      assert.equal(readFileSync(got, 'utf8'), 'content')
      assert.equal(stderr.match(/permission denied/gi)?.length, 8, stderr)
      assert.equal(readFileSync(join(place.inside, 'file'), 'utf8'), 'content')
      assert.deepEqual(
        ['new', 'moved', 'another'].map((name) => existsSync(join(place.inside, name))),
        [false, false, false],
      )
    }
  })
})
