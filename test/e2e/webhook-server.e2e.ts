import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { hashPassword } from '../../src/shared/password.ts'
import { byPassword, ssh } from '../rigs/askpass.ts'
import { type Authority, createAuthority } from '../rigs/certificates.ts'
import { type Daemon, startDaemon } from '../rigs/daemon.ts'
import { image } from '../rigs/docker.ts'
import { configFor, noContainersOf, uniqueUser } from '../rigs/login.ts'
import { client, type Key, makeKey } from '../rigs/ssh.ts'
import { startWebhookServer, type WebhookServerProcess } from '../rigs/webhook-server.ts'

describe('the daemon, a client and containerssh webhook-server over https, each with a certificate', {
  concurrency: 1,
}, () => {
  const user = uniqueUser()
  const barred = uniqueUser()
  const plain = uniqueUser()
  let authority: Authority
  let key: Key
  let server: WebhookServerProcess
  let daemon: Daemon
  let file: string
  let account: object
  const write = (users: readonly object[]): void => writeFileSync(file, stringify({ log: { level: 'debug' }, users }))

  before(async () => {
    authority = createAuthority()
    key = makeKey()
    file = join(authority.folder, 'users.yaml')
    const passwordHash = await hashPassword(Buffer.from('right'))
    account = {
      passwordHash,
      authorizedKeys: [key.line],
      environment: { GREETING: 'from the file' },
      config: { docker: { execution: { container: { image: await image('containerssh-test/busybox:1') } } } },
    }
    const { config: _, ...withoutImage } = account as { readonly config: object }
    write([
      { name: user, ...account },
      { name: barred, ...account, authorized: false },
      { name: plain, ...withoutImage },
    ])
    const serverCertificate = authority.issue('server', 'IP:127.0.0.1')
    const daemonCertificate = authority.issue('daemon', 'DNS:daemon')
    server = startWebhookServer([
      ...['--users', file, '--listen', '127.0.0.1:0', '--client-ca', authority.ca.certFile],
      ...['--tls-cert', serverCertificate.certFile, '--tls-key', serverCertificate.keyFile],
    ])
    const url = await server.url()
    const { certFile: cert, keyFile } = daemonCertificate
    const tls = { cacert: authority.ca.certFile, cert, key: keyFile }
    const section = { method: 'webhook', webhook: { url, ...tls } }
    const auth = { password: section, publicKey: section, keyboardInteractive: section, authz: section }
    const base = await configFor(user, key)
    const docker = base['docker'] as { readonly execution: object }
    daemon = await startDaemon({
      ...base,
      auth,
      configserver: { url: `${url}/config`, ...tls },
      docker: { ...docker, execution: { ...docker.execution, container: { image: 'containerssh-test/none:1' } } },
    })
  })
  after(async () => {
    await daemon?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
    key?.[Symbol.dispose]()
    authority?.[Symbol.dispose]()
  })

  test('the password opens a container of the image and with the environment of the file', async () => {
    const { code, stdout, stderr } = await ssh(daemon, user, { assword: 'right' }, byPassword, 'echo $GREETING')
    assert.equal(code, 0, stderr)
    assert.equal(stdout.toString(), 'from the file\n')
  })

  test('the key does too', async () => {
    assert.equal((await client(daemon.port, key, user).run(['exit 7'])).code, 7)
  })

  test('the password as an answer to keyboard-interactive does too', async () => {
    const options = ['-o', 'PreferredAuthentications=keyboard-interactive', '-o', 'KbdInteractiveAuthentication=yes']
    assert.equal((await ssh(daemon, user, { assword: 'right' }, options, 'exit 3')).code, 3)
    assert.equal((await ssh(daemon, user, { assword: 'wrong' }, options, 'true')).code, 255)
  })

  test('a wrong password, a strange key and a stranger do not', async () => {
    using strange = makeKey()
    for (const [name, password] of [
      [user, 'wrong'],
      [uniqueUser(), 'right'],
    ] as const) {
      const { code, stderr } = await ssh(daemon, name, { assword: password }, byPassword, 'true')
      assert.equal(code, 255)
      assert.match(stderr, /Permission denied/)
    }
    assert.equal((await client(daemon.port, strange, user).run(['true'])).code, 255)
  })

  test('who may not come in is refused although the key is right', async () => {
    const { code, stderr } = await client(daemon.port, key, barred).run(['true'])
    assert.equal(code, 255)
    assert.match(stderr, /Permission denied/)
    await daemon.line(
      'AUTH_FAILED',
      ({ details }) => details['authtype'] === 'authorization' && details['username'] === barred,
    )
  })

  test('without a configuration of the user, that of the daemon holds', async () => {
    const { code } = await client(daemon.port, key, plain).run(['true'])
    assert.notEqual(code, 0)
    await daemon.line('DOCKER_CONTAINER_CREATE_FAILED', ({ message }) => message.includes('containerssh-test/none:1'))
  })

  test('after SIGHUP the server goes by the changed file', async () => {
    write([])
    server.child.kill('SIGHUP')
    await server.line('CORE_CONFIG_FILE', 2)
    assert.equal((await client(daemon.port, key, user).run(['true'])).code, 255)
    write([{ name: user, ...account }])
    server.child.kill('SIGHUP')
    await server.line('CORE_CONFIG_FILE', 3)
    assert.equal((await client(daemon.port, key, user).run(['exit 4'])).code, 4)
    await noContainersOf(user)
  })
})
