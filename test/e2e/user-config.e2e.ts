/** The daemon, real containers, the OpenSSH client, an authentication webhook and a configuration webhook. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { makeCredentials } from '../../bench/credentials.ts'
import { buildLoad, runLoad, targetFlags } from '../../bench/load.ts'
import { startWith } from '../../bench/ours.ts'
import { type Daemon, startDaemon, until } from '../rigs/daemon.ts'
import { call, engine, image } from '../rigs/docker.ts'
import { configFor, containersOf, engineGet, noContainersOf, uniqueUser } from '../rigs/login.ts'
import { client, type Key, makeKey } from '../rigs/ssh.ts'
import { always, type Handler, startWebhook, type TestWebhook } from '../rigs/webhook.ts'
import { zeroAnswer, zeroConfig } from '../shared/config/user/documents.ts'

const text = (value: string) => ({ value: Buffer.from(value).toString('base64') })

/** The tests' image under a second name. */
async function secondImage(): Promise<string> {
  const { socketPath } = await engine()
  const name = await image('containerssh-test/busybox:1')
  const { status } = await call(socketPath, 'POST', `/images/${name}/tag?repo=containerssh-test/busybox&tag=own`)
  assert.equal(status, 201)
  return 'containerssh-test/busybox:own'
}

for (const mode of ['connection', 'session'] as const) {
  describe(`two users of a configuration server (${mode} mode)`, { concurrency: 1 }, () => {
    const [anna, bert] = [uniqueUser(), uniqueUser()]
    const running = new AsyncDisposableStack()
    let key: Key
    let server: TestWebhook
    let daemon: Daemon
    let own: string
    const as = (user: string) => client(daemon.port, key, user)

    before(async () => {
      key = running.adopt(makeKey(), (made) => made[Symbol.dispose]())
      own = await secondImage()
      const auth = running.use(
        await startWebhook(
          always({
            success: true,
            metadata: { TEAM: { value: 'blue' }, TOKEN: { value: 'topsecret', sensitive: true } },
            environment: { FROM: { value: 'auth' }, BOTH: { value: 'auth' } },
            files: { '/tmp/auth': text('from auth') },
          }),
        ),
      )
      const annas = {
        ...zeroConfig,
        security: {
          ...zeroConfig.security,
          forceCommand:
            '[ "$SSH_ORIGINAL_COMMAND" = stay ] && exec cat; id -un; echo "$TEAM $TOKEN $FROM $BOTH"; cat ~/note /tmp/auth; stat -c %a ~/note',
        },
        docker: {
          ...zeroConfig.docker,
          execution: {
            ...zeroConfig.docker.execution,
            container: { Image: own, User: 'demo', Env: ['HOME=/home/demo'], Hostname: '', Cmd: null },
            ...{ mode, exposeAuthMetadataAsEnv: true },
          },
        },
        log: { level: 'debug' },
      }
      server = running.use(
        await startWebhook((asked, response, request) => {
          const { username } = JSON.parse(asked.body) as { username: string }
          const environment = { BOTH: { value: 'config' } }
          const files = { '/home/demo/note': text('note\n') }
          const answer = username === anna ? { ...zeroAnswer(annas), environment, files } : zeroAnswer()
          always(answer)(asked, response, request)
        }),
      )
      const config = await configFor(anna, key, { mode })
      daemon = running.use(
        await startDaemon({
          ...config,
          auth: { publicKey: { method: 'webhook', webhook: { url: auth.url } } },
          configserver: { url: server.url },
          log: { level: 'info' },
        }),
      )
    })
    after(() => running.disposeAsync())

    test('each has a room, a command, variables and files as it was said for him', async () => {
      const forced = await as(anna).run(['echo mine'])
      assert.deepEqual(
        [forced.code, forced.stdout.toString()],
        [0, 'demo\nblue topsecret auth config\nnote\nfrom auth600\n'],
      )
      const free = await as(bert).run(['id -un; echo "<$TEAM> $FROM $BOTH"; cat /tmp/auth; ls /home/demo'])
      assert.deepEqual([free.code, free.stdout.toString()], [0, 'root\n<> auth auth\nfrom auth'])
      await Promise.all([anna, bert].map((user) => noContainersOf(user)))
    })

    test('the configuration server is not told what is sensitive, and the log tells nobody', () => {
      assert.ok(server.asked.length > 0)
      for (const { body } of server.asked) {
        assert.ok(body.includes('"TEAM"') && !body.includes('topsecret') && !body.includes('TOKEN'))
      }
      assert.ok(!JSON.stringify(daemon.lines).includes('topsecret'))
    })

    test('only the user with level debug has debug lines, and only about his room', () => {
      const debug = daemon.lines.filter(({ level }) => level === 'debug')
      assert.ok(debug.some(({ code }) => code === 'DOCKER_FILE_WRITE'))
      for (const { details, code } of debug) {
        assert.equal(details['username'], anna, code)
        assert.equal(details['module'], 'backend', code)
      }
    })

    test('his containers have the image that was said for him, others the one of the file', async () => {
      const imageOf = (user: string): Promise<string> =>
        until(`a container of ${user}`, async () => {
          const filters = encodeURIComponent(JSON.stringify({ label: [`containerssh_username=${user}`] }))
          const [found] = (await engineGet(`/containers/json?all=1&filters=${filters}`)) as { Image: string }[]
          return found?.Image
        })
      const stay = [as(anna).start(['stay']), as(bert).start(['cat'])]
      try {
        assert.deepEqual([await imageOf(anna), await imageOf(bert)], [own, 'containerssh-test/busybox:1'])
      } finally {
        for (const ssh of stay) ssh.kill()
      }
      await Promise.all([anna, bert].map((user) => noContainersOf(user)))
    })
  })
}

test('the idle limit is the user’s own', async () => {
  const [anna, bert] = [uniqueUser(), uniqueUser()]
  using key = makeKey()
  await using server = await startWebhook((asked, response, request) => {
    const isAnna = (JSON.parse(asked.body) as { username: string }).username === anna
    always({ config: isAnna ? { limits: { idleTimeout: 2e9, grace: 1e9 } } : {} })(asked, response, request)
  })
  const users = [anna, bert].map((name) => ({ name, authorizedKeys: [key.line] }))
  const config = await configFor(anna, key, { config: { configserver: { url: server.url } } })
  await using daemon = await startDaemon({ ...config, auth: { users } })
  const staying = client(daemon.port, key, bert).start(['cat'])
  const { code, stderr } = await client(daemon.port, key, anna).run(["trap '' HUP; sleep 60"])
  assert.equal(code, 255)
  assert.match(stderr, /the session was idle for 2 seconds/)
  assert.equal(staying.exitCode, null)
  staying.stdin.end()
  const line = await daemon.line('SSH_IDLE_TIMEOUT')
  assert.equal(line.details['username'], anna)
  await Promise.all([anna, bert].map((user) => noContainersOf(user)))
})

/** A login whose configuration cannot be had. */
async function refused(handler: Handler | undefined, configserver: object = {}) {
  const user = uniqueUser()
  using key = makeKey()
  const server = await startWebhook(handler ?? always({}))
  if (handler === undefined) await server[Symbol.asyncDispose]()
  try {
    const section = { url: server.url, configTimeout: '2s', ...configserver }
    const config = await configFor(user, key, { config: { configserver: section } })
    await using daemon = await startDaemon(config)
    const finished = await client(daemon.port, key, user).run(['echo in'])
    assert.deepEqual([finished.code, finished.stdout.toString()], [255, ''])
    await daemon.line('SSH_BACKEND_REJECTED_HANDSHAKE')
    await daemon.line('SSH_HANDSHAKE_FAILED')
    assert.deepEqual(await containersOf(user), [])
    return { stderr: finished.stderr, lines: daemon.lines }
  } finally {
    if (handler !== undefined) await server[Symbol.asyncDispose]()
  }
}

describe('a configuration that cannot be had', () => {
  test('the server is down: the user is told, and the log has the code', async () => {
    const { stderr, lines } = await refused(undefined)
    assert.match(stderr, /Your configuration is not available at the moment\. Please try again later\./)
    const last = lines.findLast(({ code }) => code === 'CONFIG_BACKEND_ERROR')
    assert.deepEqual([last?.level, last?.details['reason']], ['error', 'HTTP_CLIENT_CONNECTION_FAILED'])
    assert.match(last?.message ?? '', /ECONNREFUSED/)
  })

  test('the server never answers: the login ends at its own limit, before that of a single try', async () => {
    const { stderr, lines } = await refused(() => undefined, { timeout: '90s', configTimeout: '1s' })
    assert.match(stderr, /Your configuration is not available/)
    assert.match(
      lines.findLast(({ code }) => code === 'CONFIG_BACKEND_ERROR')?.message ?? '',
      /longer than (9\d\d|1000) ms/,
    )
  })

  test('the answer is invalid: the user is told whom to tell, the log names the option', async () => {
    const { stderr, lines } = await refused(always({ config: { security: { tty: { mode: 'off' } } } }))
    assert.match(stderr, /The server has no usable configuration for you\. Please tell its administrators\./)
    const line = lines.find(({ code }) => code === 'BACKEND_CONFIG_ERROR')
    assert.equal(line?.details['option'], 'security.tty.mode')
    assert.match(line?.message ?? '', /"off" is not known; expected one of enable, filter, disable/)
  })
})

test('500 logins through both webhooks, 50 at a time, each with a command: none fails', async () => {
  using credentials = await makeCredentials()
  await using auth = await startWebhook(always({ success: true }))
  await using server = await startWebhook(always(zeroAnswer({ ...zeroConfig, security: { maxSessions: 5 } })))
  const section = { method: 'webhook', webhook: { url: auth.url, timeout: '60s' } }
  const config = { auth: { password: section }, configserver: { url: server.url, timeout: '60s' } }
  const { signal } = new AbortController()
  await using daemon = await startWith({ backend: 'bench', config })(credentials, signal)
  const load = await buildLoad()
  const flags = ['-count', '500', '-parallel', '50', '-reconnect', '-timeout', '90s']
  const { commands } = await runLoad(load, 'exec', [...targetFlags(daemon, 'password'), ...flags], signal)
  assert.equal(commands, 500)
  assert.equal(server.asked.length, 500)
  assert.ok(server.connections() <= 120, `${server.connections()} connections`)
})
