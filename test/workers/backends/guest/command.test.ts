import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { environment, splitWords, wordsOf } from '../../../../src/workers/backends/guest/command.ts'
import type { Program } from '../../../../src/workers/ports.ts'

const settings = { shellCommand: ['/bin/ash'], subsystems: { sftp: '/sftp-server' } }
const plan = { hasShell: true, sftp: ['/sftp-server'] }
const words = (command: string, hasShell = true) => wordsOf({ kind: 'exec', command }, settings, { ...plan, hasShell })

test('a command is read by the shell, as sshd does', () => {
  assert.deepEqual(words('echo $HOME'), ['/bin/sh', '-c', 'echo $HOME'])
  assert.deepEqual(words('/bin/echo a; /bin/echo b'), ['/bin/sh', '-c', '/bin/echo a; /bin/echo b'])
  assert.deepEqual(words('/bin/echo "a b"'), ['/bin/sh', '-c', '/bin/echo "a b"'])
})

test('a plain path with plain words needs no shell', () => {
  assert.deepEqual(words('/usr/bin/rsync --server -vlogDtpre.iLsfx . /tmp'), [
    '/usr/bin/rsync',
    '--server',
    '-vlogDtpre.iLsfx',
    '.',
    '/tmp',
  ])
  assert.deepEqual(words(' ./run  it '), ['./run', 'it'])
})

test('without a shell the words are split as a shell would, and nothing is expanded', () => {
  assert.deepEqual(words(`echo 'a  b' "c \\" d" e\\ f $X ""`, false), ['echo', 'a  b', 'c " d', 'e f', '$X', ''])
  assert.deepEqual(words("echo 'open", false), ["echo 'open"])
  assert.equal(splitWords('a\\'), undefined)
})

test('a shell is the configured one, a subsystem its program, and no other name is one', () => {
  assert.deepEqual(wordsOf({ kind: 'shell' }, settings, plan), ['/bin/ash'])
  assert.deepEqual(wordsOf({ kind: 'subsystem', name: 'sftp' }, settings, plan), ['/sftp-server'])
  assert.equal(wordsOf({ kind: 'subsystem', name: 'sftp' }, settings, { ...plan, sftp: undefined }), undefined)
  assert.equal(wordsOf({ kind: 'subsystem', name: 'constructor' }, settings, plan), undefined)
})

describe('scp', () => {
  const scp = ['/helper', 'scp', '--']
  const served = (command: string, by: readonly string[] | 'own' | 'none' = scp) =>
    wordsOf({ kind: 'exec', command }, settings, { ...plan, scp: by })

  test('of the old protocol is served without a shell', () => {
    assert.deepEqual(served('scp -t /tmp'), [...scp, '-t', '/tmp'])
    assert.deepEqual(served("scp -v -r -p -f -- '-a b'"), [...scp, '-v', '-r', '-p', '-f', '--', '-a b'])
    assert.deepEqual(served('scp -rf x; sh'), [...scp, '-rf', 'x;', 'sh'])
    assert.deepEqual(served("scp -t 'x"), [...scp, "scp -t 'x"])
  })

  test('is a command like any other where the image has it, and when it is no server', () => {
    assert.deepEqual(served('scp -t /tmp', 'own'), ['/bin/sh', '-c', 'scp -t /tmp'])
    for (const command of ['scp a b:', 'scp -r a b', 'scpx -t /tmp', 'echo scp -t', 'scp -i -- -t']) {
      assert.deepEqual(served(command), ['/bin/sh', '-c', command])
    }
  })

  test('is refused where nobody keeps the bounds', () => {
    assert.equal(served('scp -t /tmp', 'none'), undefined)
    assert.deepEqual(served('true', 'none'), ['/bin/sh', '-c', 'true'])
  })
})

test('names that cannot be variables are left out; TERM comes from the terminal', () => {
  const env = new Map([
    ['A', '1 2'],
    ['B=C', 'x'],
    ['', 'y'],
  ])
  const size = { columns: 1, rows: 1, widthPixels: 0, heightPixels: 0 }
  const program = { env, pty: { term: 'xterm', size, modes: new Uint8Array() } } as unknown as Program
  assert.deepEqual(environment(program), ['A=1 2', 'TERM=xterm'])
})
