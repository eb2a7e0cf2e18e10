/** The stock OpenSSH client with certificates that `ssh-keygen -s` made, and with limited keys. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, describe, test } from 'node:test'
import type { LogRecord } from '../../../src/shared/log.ts'
import type { Restrictions } from '../../../src/workers/ports.ts'
import { fingerprint } from '../../../src/workers/ssh/public-key.ts'
import { blobOf, makeAuthority } from '../../rigs/authority.ts'
import { startServer } from '../../rigs/server.ts'
import { anyHost, client, type Finished, finish, type Key, makeKey } from '../../rigs/ssh.ts'

const authority = makeAuthority()
const stranger = makeAuthority()
const keys = Object.fromEntries(['ed25519', 'ecdsa', 'rsa'].map((type) => [type, makeKey(type)]))
const revoked = makeKey()
const limited = makeKey()
const key = keys['ed25519'] as Key
after(() => {
  for (const made of [authority, stranger, revoked, limited, ...Object.values(keys)]) made[Symbol.dispose]()
})

const limits = 'restrict,pty,command="lines 2",environment="COLOUR=blue",permitopen="127.0.0.1:9"'
const server = await startServer({
  users: [
    { name: 'carol', authorizedKeys: [], principals: ['carol'] },
    { name: 'dave', authorizedKeys: [`${limits} ${limited.line}`] },
    { name: 'erin', authorizedKeys: [`from="203.0.113.0/24" ${limited.line}`] },
    { name: 'grace', authorizedKeys: [revoked.line] },
  ],
  auth: {
    userCAs: [authority.line],
    revokedKeys: [revoked.line, `serial:${fingerprint(blobOf(authority.line))}:666`],
  },
})
after(() => server[Symbol.asyncDispose]())

const login = (who: Key, user = 'carol', options: readonly string[] = []): Promise<Finished> =>
  client(server.port, who, user).run(['lines', '1'], { options })
/** What the room learned about the last login. */
const restrictions = (): Restrictions | undefined => server.room.occupants.at(-1)?.member.restrictions

describe('a certificate', () => {
  for (const [type, own] of Object.entries(keys)) {
    test(`of an ${type} key lets its user in, and the log has serial and key id`, async () => {
      authority.sign(own, 'carol,other', ['-z', String(type.length)])
      const { code, stdout, stderr } = await login(own)
      assert.equal(code, 0, stderr)
      assert.equal(stdout.toString(), 'line 0\n')
      const isMine = ({ labels }: LogRecord): boolean => labels['serial'] === String(type.length)
      const { level, labels } = await server.line('AUTH_CERTIFICATE_ACCEPTED', isMine)
      assert.equal(level, 'info')
      assert.equal(labels['keyId'], 'the key id')
      assert.equal(labels['username'], 'carol')
    })
  }

  test('with every extension of ssh-keygen restricts nothing; one without forbids and forces what it says', async () => {
    authority.sign(key, 'carol')
    await login(key)
    assert.equal(restrictions(), undefined)
    authority.sign(key, 'carol', ['-O', 'clear', '-O', 'permit-agent-forwarding', '-O', 'force-command=exit 3'])
    assert.equal((await login(key)).code, 3)
    assert.deepEqual(restrictions(), {
      pty: false,
      portForwarding: false,
      agentForwarding: true,
      x11Forwarding: false,
      forceCommand: 'exit 3',
    })
  })

  test('of 127.0.0.1 and the IPv6 loopback as source addresses is good here', async () => {
    authority.sign(key, 'carol', ['-O', 'source-address=127.0.0.0/8,::1'])
    assert.equal((await login(key)).code, 0)
  })

  const refusals: readonly (readonly [name: string, sign: () => unknown, reason: RegExp])[] = [
    ['that has expired', () => authority.sign(key, 'carol', ['-V', '-2d:-1d']), /^it expired at 20/],
    ['that is not valid yet', () => authority.sign(key, 'carol', ['-V', '+1d:+2d']), /^it is not valid before 20/],
    ['of another principal', () => authority.sign(key, 'root,carol2'), /^it is for root, carol2$/],
    ['without principals', () => authority.sign(key, ''), /^it has no principals$/],
    [
      'of another source address',
      () => authority.sign(key, 'carol', ['-O', 'source-address=203.0.113.0/24']),
      /^it may not be used from 127\.0\.0\.1$/,
    ],
    [
      'with an unknown critical option',
      () => authority.sign(key, 'carol', ['-O', 'critical:foo']),
      /^it has the unknown critical option foo$/,
    ],
    ['of a CA that is not trusted', () => stranger.sign(key, 'carol'), /^its CA is not trusted here$/],
  ]
  for (const [name, sign, reason] of refusals) {
    test(`${name} is refused: the user reads the usual text, the administrator why`, async () => {
      sign()
      const { code, stderr } = await login(key)
      assert.equal(code, 255)
      assert.match(stderr, /Permission denied \(publickey\)/)
      const isThis = ({ labels }: LogRecord): boolean => reason.test(String(labels['reason']))
      const { labels } = await server.line('AUTH_CERTIFICATE_REFUSED', isThis)
      assert.equal(labels['serial'], '7')
      assert.equal(labels['keyId'], 'the key id')
    })
  }

  test('of a host, which only an agent offers to a server, is refused', async () => {
    authority.sign(key, 'carol', ['-h'])
    const shell = 'ssh-add -q "$0" && exec ssh "$@"'
    const ssh = [...anyHost, '-o', 'BatchMode=yes', '-p', String(server.port), 'carol@127.0.0.1', 'lines', '1']
    const { stderr } = await finish(
      spawn('ssh-agent', ['sh', '-c', shell, key.file, ...ssh], { stdio: ['pipe', 'pipe', 'pipe'] }),
    )
    assert.match(stderr, /Permission denied \(publickey\)/)
    await server.line('AUTH_CERTIFICATE_REFUSED', ({ labels }) => labels['reason'] === 'it is a host certificate')
  })

  test('with a revoked serial is refused, and a revoked key also where it is authorized', async () => {
    authority.sign(key, 'carol', ['-z', '666'])
    assert.match((await login(key)).stderr, /Permission denied/)
    await server.line('AUTH_KEY_REVOKED', ({ labels }) => labels['serial'] === '666')
    assert.match((await login(revoked, 'grace')).stderr, /Permission denied/)
    const { labels } = await server.line('AUTH_KEY_REVOKED', (record) => record.labels['username'] === 'grace')
    assert.equal(labels['fingerprint'], fingerprint(blobOf(revoked.line)))
  })

  test('is for nobody who is not listed', async () => {
    authority.sign(key, 'zoe')
    assert.match((await login(key, 'zoe')).stderr, /Permission denied/)
    await server.line('AUTH_CERTIFICATE_REFUSED', ({ labels }) => labels['username'] === 'zoe')
  })
})

describe('an authorized key with options', () => {
  test('tells the session what is allowed, and the room its environment', async () => {
    const { stdout } = await login(limited, 'dave')
    assert.equal(stdout.toString(), 'line 0\nline 1\n')
    const { member } = server.room.occupants.at(-1) ?? {}
    assert.equal(member?.username, 'dave')
    assert.deepEqual(restrictions(), {
      pty: true,
      portForwarding: false,
      agentForwarding: false,
      x11Forwarding: false,
      forceCommand: 'lines 2',
      permitOpen: [{ host: '127.0.0.1', port: 9 }],
    })
    assert.deepEqual(member?.environment, new Map([['COLOUR', { value: 'blue', sensitive: false }]]))
  })

  test('that is for other addresses is refused before it signs', async () => {
    const { stderr } = await login(limited, 'erin', ['-v'])
    assert.match(stderr, /Permission denied/)
    assert.doesNotMatch(stderr, /Server accepts key/)
    const { labels } = await server.line('AUTH_KEY_REFUSED', (record) => record.labels['username'] === 'erin')
    assert.equal(labels['reason'], 'it may not be used from 127.0.0.1')
  })

  test('opens and listens only where permitopen and permitlisten say', async () => {
    const service = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1')
    await once(service, 'listening')
    const address = service.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const line = `permitopen="127.0.0.1:${port}",permitlisten="localhost:*" ${limited.line}`
    await using open = await startServer({
      users: [{ name: 'frank', authorizedKeys: [line] }],
      security: { forwarding: { forwardingMode: 'enable', reverseForwardingMode: 'enable' } },
    })
    const frank = client(open.port, limited, 'frank')
    const forward = (target: string) => frank.run([], { options: ['-v', '-W', target] })
    assert.equal((await forward(`127.0.0.1:${port}`)).stdout.toString(), 'hello')
    assert.match((await forward(`localhost:${port}`)).stderr, /administratively prohibited/)
    const refusal = await open.line('SECURITY_FORWARDING_REJECTED')
    assert.equal(refusal.labels['rule'], 'credential permitopen')
    const reverse = (door: string) =>
      frank.run(['exit', '0'], { options: ['-o', 'ExitOnForwardFailure=yes', '-R', `${door}:127.0.0.1:${port}`] })
    assert.equal((await reverse('localhost:0')).code, 0)
    assert.equal((await reverse('127.0.0.1:0')).code, 255)
    const { labels } = await open.line('SECURITY_REVERSE_FORWARDING_REJECTED')
    assert.equal(labels['rule'], 'credential permitlisten')
    service.close()
  })
})

test('a CA whose key cannot be used is told at the start, and lets nobody in', async () => {
  const weak = `ssh-rsa ${Buffer.concat([
    Buffer.from('\0\0\0\u0007ssh-rsa\0\0\0\u0003\u0001\0\u0001', 'latin1'),
    Buffer.from([0, 0, 0, 129, 0]),
    Buffer.alloc(128, 0xff),
  ]).toString('base64')}`
  await using other = await startServer({ auth: { userCAs: [weak] } })
  const { message } = await other.line('AUTH_CA_UNUSABLE')
  assert.match(message, /RSA key has 1024 bits/)
})
