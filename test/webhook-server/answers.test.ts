import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeAnswer, decodeInteractive } from '../../src/shared/webhook/answers.ts'
import type { ConfigAnswer, WebhookHandlers } from '../../src/webhook-server/index.ts'
import {
  createAuthServer,
  createConfigServer,
  createWebhookServer,
  Unavailable,
} from '../../src/webhook-server/index.ts'
import { alice, call, password, start } from './rig.ts'

const authServer = (handlers: Parameters<typeof createAuthServer>[0]) =>
  start((options) => createAuthServer(handlers, options))
const configServer = (handler: Parameters<typeof createConfigServer>[0]) =>
  start((options) => createConfigServer(handler, options))
/** What handlers written in JavaScript may do. */
const untyped = (value: unknown) => value as never

describe('an authentication server', () => {
  test('answers at the paths that the daemon appends to its URL, and nowhere else', async () => {
    await using started = await authServer({
      password: ({ username, password }) => username === 'alice' && password.equals(Buffer.from('right')),
      publicKey: ({ publicKey }) => ({ success: publicKey === 'ssh-ed25519 AAAA', authenticatedUsername: 'al' }),
      keyboardInteractive: ({ answers, state }) =>
        answers === undefined
          ? { challenge: { instruction: 'Hello', prompts: [{ text: 'Code: ' }], state: '7' } }
          : state === '7' && answers[0]?.toString() === '42',
      authorization: ({ authenticatedUsername }) => authenticatedUsername === 'al',
    })
    const { url } = started
    assert.equal((await call(`${url}/password`, password('right'))).body, '{"success":true}\n')
    assert.equal((await call(`${url}//password?x`, password('wrong'))).body, '{"success":false}\n')
    const key = await call(`${url}/deeper/pubkey`, { ...alice, publicKey: 'ssh-ed25519 AAAA' })
    assert.equal(key.body, '{"success":true,"authenticatedUsername":"al"}\n')
    assert.equal(key.headers['content-type'], 'application/json')
    const interactive = `${url}/keyboard-interactive`
    const challenge = decodeInteractive(JSON.parse((await call(interactive, alice)).body))
    assert.deepEqual(challenge, {
      ...{ name: '', instruction: 'Hello', state: '7' },
      prompts: [{ text: 'Code: ', echo: false }],
    })
    const answered = await call(interactive, { ...alice, state: '7', answersBase64: ['NDI='] })
    assert.equal(answered.body, '{"success":true}\n')
    const authz = await call(`${url}/authz`, { ...alice, authenticatedUsername: 'al' })
    assert.equal(authz.body, '{"success":true,"authenticatedUsername":"al"}\n')
    for (const path of ['/', '/config', '/Password']) {
      const { status, body } = await call(url + path, alice)
      assert.deepEqual([status, body], [404, '{"error":"Not Found"}\n'])
    }
    assert.equal((await started.seen('AUTH_AVAILABLE')).labels['url'], url)
    assert.ok(!started.records.some(({ code }) => code === 'CONFIG_SERVER_AVAILABLE'))
  })

  test('marks nothing as sensitive by itself, and writes files as base64', async () => {
    await using started = await authServer({
      password: () => ({
        success: true,
        metadata: { TEAM: '<blue>' },
        environment: { TOKEN: { value: 'x', sensitive: true } },
        files: { '/etc/motd': 'hi', '/bin': { value: Uint8Array.of(0, 255), sensitive: true } },
      }),
    })
    const { body } = await call(`${started.url}/password`, password(''))
    assert.equal(
      body,
      '{"success":true,"metadata":{"TEAM":{"value":"\\u003cblue\\u003e","sensitive":false}},' +
        '"environment":{"TOKEN":{"value":"x","sensitive":true}},' +
        '"files":{"/etc/motd":{"value":"aGk=","sensitive":false},"/bin":{"value":"AP8=","sensitive":true}}}\n',
    )
    assert.deepEqual(decodeAnswer(JSON.parse(body)).files.get('/bin'), {
      value: Buffer.from([0, 255]),
      sensitive: true,
    })
  })

  test('answers for a handler that throws with status 500 and no success, and goes on', async () => {
    let broken = true
    await using started = await authServer({
      password: () => {
        if (broken) throw new Error('the database is away')
        return true
      },
    })
    const { status, body } = await call(`${started.url}/password`, password('x'))
    assert.deepEqual([status, body], [500, '{"success":false}\n'])
    const record = await started.seen('AUTH_SERVER_DECODE_FAILED')
    assert.match(record.message, /the database is away/)
    assert.equal(record.level, 'error')
    assert.deepEqual(record.labels, { module: 'webhook', path: '/password', connectionId: 'cafe', username: 'alice' })
    broken = false
    assert.equal((await call(`${started.url}/password`, password('x'))).status, 200)
  })

  test('of a handler that says that it is unavailable makes 503, which is tried again', async () => {
    await using started = await authServer({ password: () => Promise.reject(new Unavailable()) })
    assert.equal((await call(`${started.url}/password`, password('x'))).status, 503)
  })
})

describe('a configuration server', () => {
  test('answers at every path', async () => {
    await using started = await configServer(({ username }) => ({
      config: { docker: { execution: { container: { image: `image-of-${username}` } } } },
      environment: { A: 'b' },
    }))
    for (const path of ['', '/', '/config', '/x/y']) {
      const { status, body } = await call(started.url + path, alice)
      assert.equal(status, 200)
      assert.equal(
        body,
        '{"config":{"docker":{"execution":{"container":{"image":"image-of-alice"}}}},' +
          '"environment":{"A":{"value":"b","sensitive":false}}}\n',
      )
    }
    assert.equal((await started.seen('CONFIG_SERVER_AVAILABLE')).labels['url'], started.url)
    assert.ok(!started.records.some(({ code }) => code === 'AUTH_AVAILABLE'))
  })

  test('answers for a handler that throws with status 500', async () => {
    await using started = await configServer(() => Promise.reject(new Error('no such user')))
    const { status, body } = await call(started.url, alice)
    assert.deepEqual([status, body], [500, '{"error":"Internal Server Error"}\n'])
    assert.match((await started.seen('CONFIG_SERVER_DECODE_FAILED')).message, /no such user/)
  })

  test('stands at /config beside an authentication server', async () => {
    await using started = await start((options) =>
      createWebhookServer({ password: () => true, configuration: () => ({}) }, options),
    )
    assert.equal((await call(`${started.url}/config`, alice)).body, '{}\n')
    assert.equal((await call(`${started.url}/password`, password(''))).body, '{"success":true}\n')
    assert.equal((await started.seen('CONFIG_SERVER_AVAILABLE')).labels['url'], `${started.url}/config`)
    const document = JSON.parse((await call(`${started.url}/openapi.json`)).body)
    assert.deepEqual(Object.keys(document.paths), ['/password', '/config', '/openapi.json'])
  })
})

describe('what a handler gives that cannot be sent is status 500 with a code', () => {
  const cycle: { config: { self?: unknown } } = { config: {} }
  cycle.config.self = cycle
  const cases: readonly (readonly [what: string, handlers: WebhookHandlers, message: RegExp])[] = [
    ['a cycle', { configuration: () => cycle as ConfigAnswer }, /circular/],
    ['a BigInt', { configuration: () => untyped({ config: { a: 1n } }) }, /BigInt/],
    [
      'a getter that throws',
      {
        configuration: () =>
          untyped({
            get config() {
              throw new Error('not now')
            },
          }),
      },
      /not now/,
    ],
    ['an unknown property', { configuration: () => untyped({ conifg: {} }) }, /"conifg" is not a known property/],
    ['a list', { configuration: () => untyped([]) }, /gave object/],
    ['a text as configuration', { configuration: () => untyped({ config: 'x' }) }, /config is not an object/],
    ['nothing', { password: () => untyped(undefined) }, /a password handler gave undefined/],
    ['no decision', { password: () => untyped({}) }, /success is missing/],
    ['a text as decision', { password: () => untyped({ success: 'yes' }) }, /success is not true or false/],
    ['a challenge for a password', { password: () => untyped({ challenge: {} }) }, /"challenge" is not a known/],
    ['a variable with a bad name', { password: () => ({ success: true, environment: { 'A=B': '' } }) }, /variable/],
    ['a relative path', { password: () => ({ success: true, files: { 'etc/motd': '' } }) }, /absolute path/],
    [
      'a decision together with a challenge',
      { keyboardInteractive: () => untyped({ success: true, challenge: {} }) },
      /exclude each other/,
    ],
  ]
  for (const [what, handlers, message] of cases) {
    test(what, async () => {
      await using started = await start((options) => createWebhookServer(handlers, options))
      const path = { password: '/password', keyboardInteractive: '/keyboard-interactive', configuration: '/config' }
      const [name] = Object.keys(handlers) as [keyof typeof path]
      const { status, body } = await call(started.url + path[name], password('x'))
      assert.deepEqual([status, body], [500, '{"error":"Internal Server Error"}\n'])
      const record = await started.seen('HTTP_SERVER_ENCODE_FAILED')
      assert.match(record.message, message)
      assert.equal(record.labels['username'], 'alice')
    })
  }
})
