/** Certificates through the daemon: what the CA did not allow, nobody gets from the container. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { makeAuthority } from '../rigs/authority.ts'
import { login, uniqueUser } from '../rigs/login.ts'
import { makeKey } from '../rigs/ssh.ts'

describe('a login with a certificate of ssh-keygen, through the daemon with the Docker backend', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-ca-'))
  const authority = makeAuthority()
  const key = makeKey()
  const user = uniqueUser()
  const cas = join(folder, 'cas')
  writeFileSync(cas, `# who may certify\n${authority.line}\n`)
  const auth = { users: [{ name: user, principals: ['staff'] }], userCAs: [cas] }
  const session = await login({ user, key, config: { auth } })
  after(async () => {
    await session[Symbol.asyncDispose]()
    for (const made of [authority, key]) made[Symbol.dispose]()
    rmSync(folder, { recursive: true })
  })
  const run = (command: readonly string[], options: readonly string[] = []) => session.client.run(command, { options })

  test('has a shell in a container, with a terminal', async () => {
    authority.sign(key, 'staff')
    assert.equal((await run(['tty'], ['-tt'])).stdout.toString().trim(), '/dev/pts/0')
    const { details } = await session.daemon.line('AUTH_CERTIFICATE_ACCEPTED')
    assert.equal(details['serial'], '7')
  })

  test('without permit-pty gets no terminal, and its commands run without one', async () => {
    authority.sign(key, 'staff', ['-O', 'no-pty'])
    assert.match((await run(['tty'], ['-tt', '-o', 'LogLevel=INFO'])).stderr, /PTY allocation request failed/)
    const { details } = await session.daemon.line('SECURITY_TTY_REJECTED')
    assert.equal(details['rule'], 'credential no-pty')
    assert.equal((await run(['tty'])).stdout.toString(), 'not a tty\n')
  })

  test('with force-command runs that and nothing else', async () => {
    authority.sign(key, 'staff', ['-O', 'force-command=echo forced "$SSH_ORIGINAL_COMMAND"'])
    assert.equal((await run(['echo mine'])).stdout.toString(), 'forced echo mine\n')
  })

  test('is refused when the certificate has expired, and the administrator reads why', async () => {
    authority.sign(key, 'staff', ['-V', '-2h:-1h'])
    const { code, stderr } = await run(['true'])
    assert.equal(code, 255)
    assert.match(stderr, /Permission denied \(publickey\)/)
    const { message, level } = await session.daemon.line('AUTH_CERTIFICATE_REFUSED')
    assert.match(message, /The certificate the key id, serial 7, of user .* is refused: it expired at 20/)
    assert.equal(level, 'info')
  })
})
