/** The helper as the other end of scp's old protocol, under the OpenSSH client, with and without bounds. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { finish } from '../rigs/ssh.ts'
import { helper, run } from './program.ts'

const large = Buffer.alloc(1_000_000, 'large')
const longAgo = 1_000_000_000

/** Here: a folder with files of several kinds; there: a folder in the bounds, and a secret beside it. */
function places() {
  const root = mkdtempSync(join(tmpdir(), 'containerssh-scp-'))
  const at = (...names: string[]): string => join(root, ...names)
  mkdirSync(at('here', 'folder', 'below'), { recursive: true })
  mkdirSync(at('there', 'sub'), { recursive: true })
  writeFileSync(at('here', 'large'), large)
  writeFileSync(at('here', 'folder', 'run.sh'), 'run')
  chmodSync(at('here', 'folder', 'run.sh'), 0o750)
  writeFileSync(at('here', 'folder', 'below', 'a name'), 'deep')
  utimesSync(at('here', 'folder', 'below', 'a name'), longAgo, longAgo)
  writeFileSync(at('secret'), 'secret')
  writeFileSync(at('there', 'one.txt'), 'one')
  writeFileSync(at('there', 'two.txt'), 'two')
  symlinkSync('../secret', at('there', 'up'))
  symlinkSync(root, at('there', 'out'))
  return { at, [Symbol.dispose]: () => rmSync(root, { recursive: true }) }
}

/** scp(1) whose connection is the helper. The helper finds no other scp, and runs with a narrow umask. */
async function scp(bounds: readonly string[], ...args: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-scp-'))
  try {
    const connection = join(folder, 'connection')
    const served = [await helper(), 'scp', ...bounds, '--'].join(' ')
    // The last word is the command; `eval` is the shell of the other end, which only quotes have to pass.
    const words = `for last; do :; done; set -f; eval "set -- $last"; shift; umask 027; PATH=/none exec ${served} "$@"`
    writeFileSync(connection, `#!/bin/sh\n${words}\n`, { mode: 0o755 })
    const child = spawn('scp', ['-O', '-S', connection, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    const { code, stderr } = await finish(child)
    return { code, stderr: stderr.toString() }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('scp', () => {
  test('takes a file and gives it back, of any size', async () => {
    using place = places()
    writeFileSync(place.at('here', 'empty'), '')
    for (const name of ['large', 'empty']) {
      const there = place.at('there', `${name}.copy`)
      assert.deepEqual(await scp([], place.at('here', name), `host:${there}`), { code: 0, stderr: '' })
      assert.equal(statSync(there).mode & 0o777, 0o640)
      assert.equal((await scp([], `host:${there}`, place.at('back'))).code, 0)
      assert.deepEqual(readFileSync(place.at('back')), readFileSync(place.at('here', name)))
    }
  })

  test('replaces a longer file', async () => {
    using place = places()
    await scp([], place.at('here', 'large'), `host:${place.at('there', 'one.txt')}`)
    await scp([], place.at('there', 'two.txt'), `host:${place.at('there', 'one.txt')}`)
    assert.equal(readFileSync(place.at('there', 'one.txt'), 'utf8'), 'two')
  })

  test('takes and gives folders, with modes and times if that is wanted', async () => {
    using place = places()
    const there = place.at('there')
    assert.equal((await scp([], '-r', '-p', place.at('here', 'folder'), `host:${there}`)).code, 0)
    assert.equal((await scp([], '-r', '-p', `host:${there}/folder`, place.at('back'))).code, 0)
    for (const folder of [join(there, 'folder'), place.at('back')]) {
      assert.equal(statSync(join(folder, 'run.sh')).mode & 0o777, 0o750)
      assert.equal(readFileSync(join(folder, 'below', 'a name'), 'utf8'), 'deep')
      assert.equal(statSync(join(folder, 'below', 'a name')).mtimeMs, longAgo * 1000)
    }
    assert.equal((await scp([], '-r', place.at('here', 'folder'), `host:${there}/plain`)).code, 0)
    assert.equal(statSync(join(there, 'plain', 'run.sh')).mode & 0o777, 0o750)
    assert.notEqual(statSync(join(there, 'plain', 'below', 'a name')).mtimeMs, longAgo * 1000)
  })

  test('expands patterns, which no shell does here', async () => {
    using place = places()
    mkdirSync(place.at('got'))
    assert.equal((await scp([], `host:${place.at('there')}/*.txt`, place.at('got'))).code, 0)
    assert.deepEqual(readdirSync(place.at('got')), ['one.txt', 'two.txt'])
    assert.equal((await scp(['--root', place.at('there')], 'host:/tw?.txt', place.at('pattern'))).code, 0)
    assert.equal(readFileSync(place.at('pattern'), 'utf8'), 'two')
  })

  test('tells what cannot be copied, and goes on with the rest', async () => {
    using place = places()
    const one = place.at('there', 'one.txt')
    mkdirSync(place.at('got'))
    const missing = await scp(
      [],
      `host:${place.at('nothing')}`,
      `host:${place.at('there')}`,
      `host:${one}`,
      place.at('got'),
    )
    assert.equal(missing.code, 1)
    assert.match(missing.stderr, /nothing: no such file or directory/)
    assert.match(missing.stderr, /there: not a regular file/)
    assert.deepEqual(readdirSync(place.at('got')), ['one.txt'])
    const inFile = await scp([], '-r', place.at('here', 'folder'), place.at('here', 'large'), `host:${one}`)
    assert.match(inFile.stderr, /one.txt: not a directory/)
    const nowhere = await scp([], place.at('here', 'large'), `host:${place.at('none', 'x')}`)
    assert.equal(nowhere.code, 1)
    assert.match(nowhere.stderr, /none\/x: no such file or directory/)
  })

  test('with a root is that folder alone, whatever symbolic links and names say', async () => {
    using place = places()
    const bounds = ['--root', place.at('there')]
    assert.equal((await scp(bounds, place.at('here', 'large'), 'host:/sub/new')).code, 0)
    assert.deepEqual(readFileSync(place.at('there', 'sub', 'new')), large)
    assert.equal((await scp(bounds, 'host:sub/new', place.at('back'))).code, 0)
    for (const name of ['up', 'out/secret', '../secret', place.at('secret')]) {
      assert.equal((await scp(bounds, `host:${name}`, place.at('stolen'))).code, 1, name)
    }
    assert.equal(existsSync(place.at('stolen')), false)
    assert.equal((await scp(bounds, place.at('here', 'large'), 'host:out/planted')).code, 1)
    assert.equal((await scp(bounds, place.at('here', 'large'), 'host:up')).code, 1)
    assert.equal(readFileSync(place.at('secret'), 'utf8'), 'secret')
    assert.equal(existsSync(place.at('planted')), false)
  })

  test('can be read only, with a root and without', async () => {
    using place = places()
    for (const [bounds, name] of [
      [['--root', place.at('there')], 'one.txt'],
      [[], place.at('there', 'one.txt')],
    ] as const) {
      const readOnly = [...bounds, '--read-only']
      const refused = await scp(readOnly, place.at('here', 'large'), `host:${name}`)
      assert.equal(refused.code, 1)
      assert.match(refused.stderr, /nothing can be written here/)
      assert.equal((await scp(readOnly, `host:${name}`, place.at('back'))).code, 0)
      assert.equal(readFileSync(place.at('back'), 'utf8'), 'one')
    }
  })

  test('does not believe a client that names other folders, or no protocol at all', async () => {
    using place = places()
    for (const [line, reason] of [
      ['C0644 1 ../x\n', /this is no name of a file: ..\/x/],
      ['C0644 1 ..\n', /this is no name of a file/],
      ['D0755 0 folder\n', /a directory without -r/],
      ['C0644 -1 x\n', /this is no protocol of scp/],
      ['GET / HTTP/1.1\n', /this is no protocol of scp/],
      ['T1 2 x 4\n', /these are no times/],
      ['\n', /an empty line/],
      [`C0644 1 ${'x'.repeat(70_000)}\n`, /the line is too long/],
    ] as const) {
      const args = ['scp', '--root', place.at('there'), '--', '-t', '/sub']
      const { code, stdout } = await run(args, Buffer.from(line))
      assert.equal(code, 1)
      assert.match(stdout.toString(), reason)
    }
    assert.deepEqual(readdirSync(place.at('there', 'sub')), [])
    assert.equal((await run(['scp', '--', '-t', '-S', 'sh', 'x'], undefined, { PATH: '' })).code, 1)
  })

  test('becomes the scp of the image, if there is one and there are no bounds', async () => {
    using place = places()
    writeFileSync(place.at('scp'), '#!/bin/sh\necho "own $*"\n', { mode: 0o755 })
    const env = { PATH: place.at('.') }
    const { stdout } = await run(['scp', '--', '-t', 'x'], undefined, env)
    assert.equal(stdout.toString(), 'own -t x\n')
    const bounded = await run(['scp', '--read-only', '--', '-t', 'x'], undefined, env)
    assert.match(bounded.stdout.toString(), /nothing can be written/)
  })
})
