import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { makeCredentials } from '../../bench/credentials.ts'
import { buildLoad, runLoad, targetFlags } from '../../bench/load.ts'
import { startWith } from '../../bench/ours.ts'
import { byPassword, ssh } from '../rigs/askpass.ts'
import { type Authority, createAuthority } from '../rigs/certificates.ts'
import { type Daemon, startDaemon } from '../rigs/daemon.ts'
import { configFor, noContainersOf, uniqueUser } from '../rigs/login.ts'
import { client, type Key, makeKey } from '../rigs/ssh.ts'
import { always, startWebhook, type TestWebhook } from '../rigs/webhook.ts'

describe('logins that a webhook decides, with the OpenSSH client and Docker', { concurrency: 1 }, () => {
  const user = uniqueUser()
  let authority: Authority
  let webhook: TestWebhook
  let key: Key
  let daemon: Daemon

  before(async () => {
    authority = createAuthority()
    key = makeKey()
    const publicKey = key.line.split(' ').slice(0, 2).join(' ')
    webhook = await startWebhook(
      (asked, response, request) => {
        const body = JSON.parse(asked.body)
        const environment = { GREETING: { value: 'from the webhook' }, SECRET: { value: 'topsecret', sensitive: true } }
        const challenge = { instruction: 'One more thing.', prompts: [{ text: 'Code: ' }], state: body.connectionId }
        const answers: Readonly<Record<string, object>> = {
          '/password': { success: body.passwordBase64 === Buffer.from('right').toString('base64'), environment },
          '/pubkey': { success: body.publicKey === publicKey, authenticatedUsername: 'somebody' },
          '/keyboard-interactive':
            body.answersBase64 === undefined
              ? { challenge }
              : {
                  success:
                    body.state === body.connectionId && body.answersBase64[0] === Buffer.from('42').toString('base64'),
                },
          '/authz': { success: body.username !== 'denied' },
        }
        always(answers[asked.url] ?? {})(asked, response, request)
      },
      authority.issue('webhook', 'IP:127.0.0.1'),
    )
    const section = { method: 'webhook', webhook: { url: webhook.url, cacert: authority.ca.certFile } }
    const auth = { password: section, publicKey: section, keyboardInteractive: section, authz: section }
    daemon = await startDaemon(await configFor(user, key, { config: { auth } }))
  })
  after(async () => {
    await daemon?.[Symbol.asyncDispose]()
    await webhook?.[Symbol.asyncDispose]()
    key?.[Symbol.dispose]()
    authority?.[Symbol.dispose]()
  })

  test('the right password opens a container with the environment of the answer', async () => {
    const { code, stdout, stderr } = await ssh(
      daemon,
      user,
      { assword: 'right' },
      byPassword,
      'echo $GREETING, $SECRET',
    )
    assert.equal(code, 0, stderr)
    assert.equal(stdout.toString(), 'from the webhook, topsecret\n')
    const authz = webhook.asked.find(({ url }) => url === '/authz')
    assert.deepEqual(JSON.parse(authz?.body ?? '').environment, {
      GREETING: { value: 'from the webhook', sensitive: false },
    })
  })

  test('a wrong password does not', async () => {
    const { code, stderr } = await ssh(daemon, user, { assword: 'wrong' }, byPassword, 'true')
    assert.equal(code, 255)
    assert.match(stderr, /Permission denied/)
    await daemon.line('AUTH_FAILED')
    await daemon.line('SSH_AUTH_FAILED')
  })

  test('a key needs one request, and one to the authorization server', async () => {
    const before = webhook.asked.length
    const { code } = await client(daemon.port, key, user).run(['exit 7'])
    assert.equal(code, 7)
    assert.deepEqual(
      webhook.asked.slice(before).map(({ url }) => url),
      ['/pubkey', '/authz'],
    )
    const line = await daemon.line('SSH_AUTH_SUCCESSFUL', ({ details }) => details['method'] === 'public key')
    assert.equal(details(line, 'authenticatedUsername'), 'somebody')
  })

  test('questions of the webhook reach the user, and the answers the webhook', async () => {
    const options = ['-o', 'PreferredAuthentications=keyboard-interactive', '-o', 'KbdInteractiveAuthentication=yes']
    assert.equal((await ssh(daemon, user, { Code: '42' }, options, 'exit 3')).code, 3)
    assert.equal((await ssh(daemon, user, { Code: '41' }, options, 'true')).code, 255)
  })

  test('whom the authorization server does not want gets nothing, whatever the password', async () => {
    const { code } = await ssh(daemon, 'denied', { assword: 'right' }, byPassword, 'true')
    assert.equal(code, 255)
    const line = await daemon.line('AUTH_FAILED', ({ details }) => details['authtype'] === 'authorization')
    assert.equal(details(line, 'username'), 'denied')
    await noContainersOf('denied')
  })

  test('no password, answer or secret stands in the log', () => {
    const log = JSON.stringify(daemon.lines)
    for (const secret of ['topsecret', 'cmlnaHQ', '"right"', 'NDI=']) assert.ok(!log.includes(secret), secret)
  })
})

const details = (line: { readonly details: Readonly<Record<string, unknown>> }, name: string): unknown =>
  line.details[name]

describe('several methods together', { concurrency: 1 }, () => {
  test('a key of auth.users and a code that the webhook asks for: both are needed', async () => {
    const user = uniqueUser()
    using key = makeKey()
    await using webhook = await startWebhook((asked, response, request) => {
      const { answersBase64 } = JSON.parse(asked.body)
      const isRight = answersBase64?.[0] === Buffer.from('42').toString('base64')
      always(answersBase64 === undefined ? { challenge: { prompts: [{ text: 'Code: ' }] } } : { success: isRight })(
        asked,
        response,
        request,
      )
    })
    const auth = {
      users: [{ name: user, authorizedKeys: [key.line] }],
      required: [['publickey', 'keyboard-interactive']],
      keyboardInteractive: { method: 'webhook', webhook: { url: webhook.url } },
    }
    await using daemon = await startDaemon(await configFor(user, key, { config: { auth } }))
    const options = ['-i', key.file, '-o', 'IdentitiesOnly=yes']
    assert.equal((await ssh(daemon, user, { Code: '42' }, options, 'exit 5')).code, 5)
    assert.equal((await ssh(daemon, user, { Code: '43' }, options, 'true')).code, 255)
    const stranger = ['-o', 'PubkeyAuthentication=no']
    const asked = webhook.asked.length
    assert.equal((await ssh(daemon, user, { Code: '42' }, stranger, 'true')).code, 255)
    assert.equal(webhook.asked.length, asked, 'without the key nobody is even asked')
    await daemon.line('AUTH_PARTIAL')
  })
})

describe('a webhook that is down', { concurrency: 1 }, () => {
  test('a login ends within its time, others of auth.users are served, and the webhook is found again', async () => {
    const user = uniqueUser()
    using key = makeKey()
    const down = await startWebhook(always({ success: true }))
    await down[Symbol.asyncDispose]()
    const webhook = { url: down.url, timeout: '200ms', authTimeout: '1s' }
    const auth = { users: [{ name: user, authorizedKeys: [key.line] }], password: { method: 'webhook', webhook } }
    await using daemon = await startDaemon(await configFor(user, key, { config: { auth, workers: 1 } }))
    const { code } = await ssh(daemon, 'stranger', { assword: 'right' }, byPassword, 'true')
    assert.equal(code, 255)
    const line = await daemon.line('AUTH_BACKEND_ERROR', ({ level }) => level === 'error')
    assert.equal(details(line, 'reason'), 'HTTP_CLIENT_CONNECTION_FAILED')
    await daemon.line('SSH_AUTH_UNAVAILABLE')
    assert.equal((await client(daemon.port, key, user).run(['exit 4'])).code, 4)
    await using back = await startWebhook(always({ success: true }), undefined, down.port)
    assert.equal((await ssh(daemon, 'stranger', { assword: 'right' }, byPassword, 'exit 6')).code, 6)
    assert.equal(back.asked[0]?.url, '/password')
  })

  test('a configuration in the old form works and says what to write instead', async () => {
    await using webhook = await startWebhook(always({ success: true }))
    const user = uniqueUser()
    using key = makeKey()
    const config = await configFor(user, key, { config: { auth: { url: webhook.url, password: true, pubkey: false } } })
    await using daemon = await startDaemon(config)
    await daemon.line('CONFIG_AUTH_URL_DEPRECATED')
    assert.equal((await ssh(daemon, user, { assword: 'x' }, byPassword, 'exit 8')).code, 8)
    assert.equal(webhook.asked[0]?.url, '/password')
  })
})

describe('many logins through a webhook', { concurrency: 1 }, () => {
  type LogIn = (count: number, parallel: number) => Promise<number>

  /** Runs a test's logins against a daemon whose workers are known to be ready. */
  const withLogins = async (webhook: TestWebhook, logins: (logIn: LogIn) => Promise<void>): Promise<void> => {
    using credentials = await makeCredentials()
    const section = { method: 'webhook', webhook: { url: webhook.url, timeout: '90s', authTimeout: '90s' } }
    const start = startWith({ backend: 'bench', config: { auth: { password: section } } })
    const { signal } = new AbortController()
    await using server = await start(credentials, signal)
    const load = await buildLoad()
    const logIn: LogIn = async (count, parallel) => {
      const counts = ['-count', `${count}`, '-parallel', `${parallel}`, '-timeout', '90s']
      return (await runLoad(load, 'login', [...targetFlags(server, 'password'), ...counts], signal)).logins
    }
    await logIn(1, 1)
    await logins(logIn)
  }

  test('1,000 logins, 64 at a time, all succeed', async () => {
    await using webhook = await startWebhook(always({ success: true }))
    await withLogins(webhook, async (logIn) => {
      assert.equal(await logIn(1000, 64), 1000)
    })
    assert.equal(webhook.asked.length, 1001)
    assert.ok(webhook.connections() < 200, `${webhook.connections()} connections`)
  })

  test('2,000 logins wait side by side for a slow webhook, which answers none before it has all of them', async () => {
    const groups = 8
    const groupSize = 250
    await using webhook = await startWebhook(always({ success: true }))
    await withLogins(webhook, async (logIn) => {
      const held: ServerResponse[] = []
      let arrived = Promise.withResolvers<void>()
      webhook.handler = (_asked, response) => {
        held.push(response)
        if (held.length % groupSize === 0) arrived.resolve()
        if (held.length === groups * groupSize) for (const one of held) one.end('{"success":true}')
      }
      const running: Promise<number>[] = []
      // The next group when all of the last one wait: what is tested is waiting, not two thousand handshakes at once.
      for (let group = 0; group < groups; group++) {
        arrived = Promise.withResolvers()
        const logins = logIn(groupSize, groupSize)
        running.push(logins)
        await Promise.race([arrived.promise, logins])
      }
      assert.deepEqual(
        await Promise.all(running),
        Array.from({ length: groups }, () => groupSize),
      )
      assert.equal(held.length, groups * groupSize)
    })
  })
})
