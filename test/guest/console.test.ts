/** The guest helper's commands around one program: what they read, print and return is an interface of old servers. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { until } from '../rigs/daemon.ts'
import { goTool, helper, run, start } from './program.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

test('the sources of the guest helper pass go vet and their own tests', async () => {
  const source = resolve(import.meta.dirname, '../../guest')
  const go = await goTool()
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' }
  for (const command of ['vet', 'test']) await promisify(execFile)(go, [command, './...'], { cwd: source, env })
  const { stdout } = await promisify(execFile)(go, ['list', '-m', '-f', '{{.Version}}', 'all'], { cwd: source, env })
  assert.doesNotMatch(stdout, /-0\.\d{14}-/, 'each module is pinned to a release')
})

describe('console', () => {
  test('says its process number, little endian, and becomes the program', async () => {
    const child = await start(['console', '--pid', '--', '/bin/sh', '-c', 'echo $$'])
    const [bytes] = (await once(child.stdout, 'data')) as [Buffer]
    assert.equal(bytes.readUInt32LE(), child.pid)
    const rest = bytes.length > 4 ? bytes.subarray(4) : ((await once(child.stdout, 'data')) as [Buffer])[0]
    assert.equal(text(rest), `${child.pid}\n`)
  })

  test('takes exactly one start byte, NUL or newline, and refuses others', async () => {
    for (const byte of ['\0', '\n']) {
      const { stdout, code } = await run(['console', '--wait', '--', '/bin/cat'], Buffer.from(`${byte}rest`))
      assert.deepEqual([text(stdout), code], ['rest', 0])
    }
    const refused = await run(['console', '--wait', '--pid', '--', '/bin/cat'], Buffer.from('xrest'))
    assert.equal(refused.code, 2)
    assert.match(text(refused.stdout), /^Usage:/)
    assert.equal((await run(['console', '--wait', '--', '/bin/cat'])).code, 2)
  })

  test('takes variables from lines up to an empty one, and leaves the rest to the program', async () => {
    const input = Buffer.from('A=1 2\nB=x=y\n\nrest')
    const { stdout } = await run(['console', '--wait-env', '--', '/bin/sh', '-c', 'echo "$A $B"; cat'], input)
    assert.equal(stdout.toString(), '1 2 x=y\nrest')
    for (const wrong of ['A=1\n', 'A\n\n', `A=${'x'.repeat(5000)}\n\n`, '']) {
      assert.notEqual((await run(['console', '--wait-env', '--', '/bin/cat'], Buffer.from(wrong))).code, 0)
    }
  })

  test('ends with 127 and the reason when there is no such program', async () => {
    const missing = await run(['console', '--pid', '--', '/nonexistent'])
    assert.deepEqual(
      [missing.code, missing.stdout.length, missing.stderr],
      [127, 4, '/nonexistent: no such file or directory'],
    )
    assert.match((await run(['console', '--', '/'])).stderr, /permission denied$/)
  })

  test('with a last word stays after the program, has said how it ended, and goes when it is sent home', async () => {
    const script = 'echo out; echo err >&2; kill -TERM $$'
    const child = await start(['console', '--pid', '--last-word', 'word', '--', '/bin/sh', '-c', script])
    const said = { stdout: '', stderr: '' }
    child.stdout.setEncoding('latin1').on('data', (part: string) => {
      said.stdout += part
    })
    child.stderr.setEncoding('latin1').on('data', (part: string) => {
      said.stderr += part
    })
    await until('the last word', () => said.stdout.endsWith('\x1e') && said.stderr.endsWith('\x1e'))
    const exit = once(child, 'exit')
    const lastWord = '\x1eword143\x1e'
    assert.deepEqual([said.stdout.slice(4), said.stderr], [`out\n${lastWord}`, `err\n${lastWord}`])
    assert.equal(child.exitCode, null)
    assert.equal((await run(['dismiss', String(child.pid)])).code, 0)
    assert.deepEqual(await exit, [143, null])
    assert.equal((await run(['dismiss', String(child.pid)])).code, 0, 'one that is gone already is none too many')
  })

  test('with a last word does not stay when the program was killed, or cannot be started', async () => {
    const killed = await run(['console', '--last-word', 'word', '--', '/bin/sh', '-c', 'echo out; kill -KILL $$'])
    assert.deepEqual([text(killed.stdout), killed.code], ['out\n', 137])
    const missing = await run(['console', '--last-word', 'word', '--', '/no/such/program'])
    assert.deepEqual([text(missing.stdout), missing.code], ['', 127])
  })

  test('finds a bare name in the PATH, and sets variables in place of inherited ones', async () => {
    const env = { PATH: '/usr/bin:/bin', GREETING: 'old' }
    const set = ['--env', 'GREETING=a new one', '--env', 'OTHER=x=y']
    const { stdout } = await run(['console', ...set, '--', 'sh', '-c', 'env'], undefined, env)
    assert.match(text(stdout), /^GREETING=a new one$/m)
    assert.match(text(stdout), /^OTHER=x=y$/m)
    assert.doesNotMatch(text(stdout), /old/)
    const clear = await run(
      ['console', '--clear-env', '--env', 'PATH=/bin', '--', 'sh', '-c', 'echo "$GREETING."'],
      undefined,
      env,
    )
    assert.equal(text(clear.stdout), '.\n')
  })
})

describe('signal', () => {
  test('tells all processes of the group that the process leads', async () => {
    const leader = await start([
      'console',
      '--',
      '/usr/bin/setsid',
      '--wait',
      '/bin/sh',
      '-c',
      'sleep 60 & echo $$ $!; wait',
    ])
    const [pid = '', child = ''] = text(((await once(leader.stdout, 'data')) as [Buffer])[0])
      .trim()
      .split(' ')
    assert.equal((await run(['signal', '--pid', pid, '--signal', 'KILL'])).code, 0)
    await until('both have ended', () => ![pid, child].some(isAlive))
  })

  test('tells a process alone that leads no group', async () => {
    const child = await start(['console', '--', '/bin/sleep', '60'])
    const exit = once(child, 'exit')
    assert.equal((await run(['signal', '--pid', String(child.pid), '--signal', 'TERM'])).code, 0)
    assert.deepEqual(await exit, [null, 'SIGTERM'])
  })

  test('ends with 3 when the process is gone', async () => {
    const child = await start(['license'])
    await once(child, 'close')
    assert.equal((await run(['signal', '--pid', String(child.pid), '--signal', 'TERM'])).code, 3)
  })
})

/** Of /proc; empty when the process is gone. */
function statusOf(pid: number | string | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return ''
  }
}
const isAlive = (pid: string): boolean => /^State:\s+[^Z]/m.test(statusOf(pid))
function isCaught(pid: number | undefined, signal: number): boolean {
  const mask = /^SigCgt:\s+(\w+)/m.exec(statusOf(pid))?.[1] ?? '0'
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n
}

test('wait-signal sleeps until a listed signal comes, then prints the text as it is', async () => {
  const child = await start(['wait-signal', '--signal', 'USR1', '--signal', 'TERM', '--message', 'bye'])
  const exit = once(child, 'close')
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => {
    said += text(bytes)
  })
  // The signal would end a process that has not begun to run; then, before it is listened for, nothing comes of it.
  await until('the signal is taken', () => {
    if (isCaught(child.pid, 10)) child.kill('SIGUSR1')
    return said !== ''
  })
  const [code] = (await exit) as [number]
  assert.deepEqual([said, code], ['bye', 0])
})

test('write-file replaces what was there and leaves the file to its owner', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-guest-'))
  const path = join(folder, 'file')
  writeFileSync(path, 'something longer than the new content', { mode: 0o644 })
  assert.equal((await run(['write-file', path], Buffer.from('secret'))).code, 0)
  assert.deepEqual([readFileSync(path, 'utf8'), statSync(path).mode & 0o777], ['secret', 0o600])
  assert.equal((await run(['write-file', join(folder, 'no/such/folder')], Buffer.from('x'))).code, 1)
  rmSync(folder, { recursive: true })
})

test('install puts a copy of the program where it is told, whole and for everybody to run', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-guest-'))
  const path = join(folder, 'agent')
  assert.equal((await run(['install', path])).code, 0)
  assert.deepEqual(readFileSync(path), readFileSync(await helper()))
  assert.equal(statSync(path).mode & 0o777, 0o755)
  assert.deepEqual(readdirSync(folder), ['agent'])
  assert.equal((await run(['install', join(folder, 'no/such/folder')])).code, 1)
  rmSync(folder, { recursive: true })
})

test('a wrong call is told on standard error, with the help on standard output', async () => {
  for (const args of [
    [],
    ['nonsense'],
    ['console'],
    ['signal', '--pid', '1'],
    ['wait-signal'],
    ['write-file'],
    ['install'],
    ['dismiss'],
    ['dismiss', '1'],
    ['console', '--last-word'],
  ]) {
    const { code, stdout, stderr } = await run(args)
    assert.equal(code, 1, args.join(' '))
    assert.match(text(stdout), /^Usage:/)
    assert.notEqual(stderr, '')
  }
})
