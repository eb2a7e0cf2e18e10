import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Config, User } from '../../../src/shared/config/index.ts'
import { defaults } from '../../../src/shared/config/schema.ts'
import { processCounters } from '../../../src/shared/metric.ts'
import { connectionOf } from '../../../src/workers/layers/index.ts'
import { createUsers } from '../../../src/workers/layers/users.ts'
import type { Ask, Attempt, AuthVerdict, ConnectionId, Peer } from '../../../src/workers/ports.ts'
import { publicKeyBlob } from '../../../src/workers/ssh/public-key.ts'
import { createWebhooks } from '../../../src/workers/webhook/index.ts'
import { createRoom } from '../../rigs/room.ts'
import { always, type Handler, startWebhook, type TestWebhook } from '../../rigs/webhook.ts'
import { testLog } from '../webhook/rig.ts'

const keyOf = () => publicKeyBlob(generateKeyPairSync('ed25519').publicKey).blob
const blob = keyOf()
const line = `ssh-ed25519 ${blob.toString('base64')}`
const password = (text = 'secret'): Attempt => ({ method: 'password', password: Buffer.from(text) })
const key = (signed: boolean, bytes = blob): Attempt => ({
  method: 'publickey',
  algorithm: 'ssh-ed25519',
  blob: bytes,
  signed,
})
const interactive = (ask: Ask): Attempt => ({ method: 'keyboard-interactive', submethods: '', ask })

interface Setup {
  /** Sections whose method is `webhook`. */
  readonly on?: readonly ('password' | 'publicKey' | 'keyboardInteractive' | 'authz')[]
  readonly users?: readonly User[]
  readonly required?: Config['auth']['required']
  readonly options?: Readonly<Record<string, unknown>>
  readonly transmitSensitiveMetadata?: boolean
}

/** One connection with the layers of these settings, in front of a real webhook. */
async function open(handler: Handler, setup: Setup = {}) {
  const server = await startWebhook(handler)
  const { on = ['password', 'publicKey'], users = [], required = [], options = {} } = setup
  const base = defaults().auth
  const own = { url: server.url, timeout: 1000, authTimeout: 1000, ...options }
  const sections = on.map((name) => [
    name,
    { ...base[name], method: 'webhook', webhook: { ...base[name].webhook, ...own, ...setup } },
  ])
  const auth: Config['auth'] = { ...base, ...Object.fromEntries(sections), users, required }
  const { log, records, codes, text } = testLog()
  const peer: Peer = {
    connectionId: '0'.repeat(32) as ConnectionId,
    remoteAddress: '192.0.2.1',
    remotePort: 4711,
    country: 'XX',
    clientVersion: 'SSH-2.0-test',
    log: log.with({ connectionId: '0'.repeat(32) }),
  }
  const webhooks = createWebhooks({ ...defaults(), auth })
  const room = createRoom()
  const connection = connectionOf(peer, {
    users: createUsers(auth, log),
    webhooks,
    chains: required,
    roomOf: () => room,
    security: defaults().security,
  })
  return {
    server,
    connection,
    records,
    codes,
    text,
    login: (attempt: Attempt, user = 'alice', signal = new AbortController().signal) =>
      connection.authenticate(user, attempt, signal),
    async [Symbol.asyncDispose]() {
      await webhooks?.[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}
const memberOf = (verdict: AuthVerdict) => {
  assert.equal(verdict.outcome, 'success')
  if (verdict.outcome !== 'success') throw new Error('unreachable')
  return verdict.member
}
const codeOf = (verdict: AuthVerdict): string => ('fault' in verdict ? verdict.fault.code : verdict.outcome)
const paths = (server: TestWebhook): string[] => server.asked.map(({ url }) => url)

describe('authentication by webhook', () => {
  test('an accepted password makes a member with all that the answer says', async () => {
    const document = {
      success: true,
      authenticatedUsername: 'al',
      metadata: { TEAM: { value: 'red' } },
      environment: { TOKEN: { value: 't', sensitive: true } },
      files: { '/etc/motd': { value: 'aGk=' } },
    }
    await using host = await open(always(document))
    const member = memberOf(await host.login(password()))
    assert.deepEqual([member.username, member.authenticatedUsername], ['alice', 'al'])
    assert.deepEqual(member.metadata.get('TEAM'), { value: 'red', sensitive: false })
    assert.deepEqual(member.environment.get('TOKEN'), { value: 't', sensitive: true })
    assert.equal(Buffer.from(member.files.get('/etc/motd')?.value ?? []).toString(), 'hi')
    assert.deepEqual(host.codes(), ['AUTH', 'HTTP_CLIENT_REQUEST', 'HTTP_CLIENT_RESPONSE', 'AUTH_SUCCESSFUL'])
    const { username, authtype, url, connectionId, module } = host.records[0]?.labels ?? {}
    assert.deepEqual([username, authtype, url, module], ['alice', 'password', host.server.url, 'auth'])
    assert.equal(connectionId, '0'.repeat(32))
  })

  test('without a name in the answer, the authenticated name is the login name', async () => {
    await using host = await open(always({ success: true }))
    assert.equal(memberOf(await host.login(password())).authenticatedUsername, 'alice')
  })

  test('a refused password is a failure, and is not in the log', async () => {
    await using host = await open(always({ success: false }))
    const verdict = await host.login(password('topsecret'))
    assert.deepEqual([verdict.outcome, codeOf(verdict)], ['failure', 'AUTH_FAILED'])
    assert.equal(host.codes().at(-1), 'AUTH_FAILED')
    assert.ok(!host.text().includes('topsecret') && !host.text().includes('dG9wc2VjcmV0'))
  })

  test('the query for a key and the signed request that follows are one question to the server', async () => {
    await using host = await open(always({ success: true, authenticatedUsername: 'al' }))
    assert.equal((await host.login(key(false))).outcome, 'success')
    assert.equal(host.codes().at(-1), 'AUTH_KEY_ACCEPTABLE')
    assert.equal(memberOf(await host.login(key(true))).authenticatedUsername, 'al')
    assert.equal(host.codes().at(-1), 'AUTH_SUCCESSFUL')
    assert.deepEqual(
      host.server.asked.map(({ url, body }) => [url, JSON.parse(body).publicKey]),
      [['/pubkey', line]],
    )
  })

  test('a yes to a query is good for one signed request, of the same user with the same key, and for nothing in between', async () => {
    await using host = await open(always({ success: true }))
    const asked = async (attempts: readonly (readonly [Attempt, string?])[]): Promise<number> => {
      const before = host.server.asked.length
      for (const [attempt, user] of attempts) await host.login(attempt, user)
      return host.server.asked.length - before
    }
    assert.equal(await asked([[key(false)], [key(true)], [key(true)]]), 2)
    assert.equal(await asked([[key(false)], [key(true), 'bob']]), 2)
    assert.equal(await asked([[key(false)], [key(true, keyOf())]]), 2)
    assert.equal(await asked([[key(false)], [password()], [key(true)]]), 3)
  })

  test('methods without a webhook are not offered and not asked about', async () => {
    await using host = await open(always({ success: true }), { on: ['publicKey'] })
    assert.deepEqual(host.connection.methods, ['publickey'])
    assert.equal(codeOf(await host.login(password())), 'AUTH_DISABLED')
    assert.equal(codeOf(await host.login({ method: 'none' })), 'AUTH_DISABLED')
    assert.equal(host.server.asked.length, 0)
  })

  test('webhooks with the same options share their connections', async () => {
    await using host = await open(always({ success: true }))
    for (let i = 0; i < 5; i++) {
      await host.login(password())
      await host.login(key(true))
    }
    assert.ok(host.server.connections() <= 2)
  })
})

describe('webhooks that do not answer as they should', () => {
  test('what may get better is tried again until it does', async () => {
    let left = 2
    await using host = await open(
      (asked, response, request) => {
        left--
        if (left === 1) response.writeHead(500).end('{}')
        else if (left === 0) request.socket.destroy()
        else always({ success: true })(asked, response, request)
      },
      { options: { authTimeout: 60_000 } },
    )
    assert.equal((await host.login(password())).outcome, 'success')
    assert.deepEqual(
      host.codes().filter((code) => code.startsWith('AUTH')),
      ['AUTH', 'AUTH_INVALID_STATUS', 'AUTH_BACKEND_ERROR', 'AUTH', 'AUTH_BACKEND_ERROR', 'AUTH', 'AUTH_SUCCESSFUL'],
    )
    const retries = host.records.filter(({ code }) => code === 'AUTH_BACKEND_ERROR')
    assert.deepEqual(
      retries.map(({ level, labels }) => [level, labels['reason'], labels['attempt']]),
      [
        ['debug', 'AUTH_INVALID_STATUS', 1],
        ['debug', 'HTTP_CLIENT_CONNECTION_FAILED', 2],
      ],
    )
  })

  test('requests, failures and decisions are counted', async () => {
    let left = 1
    const handler: Handler = (...all) => always({ success: true }, left-- > 0 ? 500 : 200)(...all)
    await using host = await open(handler, { options: { authTimeout: 60_000 } })
    processCounters.take()
    await host.login(password())
    host.server.handler = always({ success: false })
    await host.login(key(true))
    const counted = processCounters.take().map(([name, values, by]) => [name, ...values, by].join(' '))
    assert.deepEqual(counted.sort(), [
      'containerssh_auth_failures_total pubkey 0 XX 1',
      'containerssh_auth_server_failures_total password soft 0 AUTH_INVALID_STATUS 1',
      'containerssh_auth_server_requests_total password 0 1',
      'containerssh_auth_server_requests_total password 1 1',
      'containerssh_auth_server_requests_total pubkey 0 1',
      'containerssh_auth_success_total password 1 XX 1',
    ])
  })

  const hopeless: readonly (readonly [name: string, handler: Handler, reason: string])[] = [
    ['status 404', always({}, 404), 'AUTH_INVALID_STATUS'],
    ['no JSON', always('<html>'), 'HTTP_CLIENT_DECODE_FAILED'],
    ['metadata of version 0.4', always({ success: true, metadata: { A: '1' } }), 'HTTP_CLIENT_DECODE_FAILED'],
    [
      'a redirect',
      (_asked, response) => void response.writeHead(302, { location: '/' }).end(),
      'HTTP_CLIENT_REDIRECTS_DISABLED',
    ],
  ]
  for (const [name, handler, reason] of hopeless) {
    test(`${name} lets nobody in, is an error in the log, and is not tried again`, async () => {
      await using host = await open(handler, { options: { authTimeout: 60_000 } })
      const verdict = await host.login(password())
      assert.deepEqual([verdict.outcome, codeOf(verdict)], ['unavailable', 'AUTH_BACKEND_ERROR'])
      assert.equal(host.server.asked.length, 1)
      const last = host.records.at(-1)
      assert.deepEqual([last?.code, last?.level, last?.labels['reason']], ['AUTH_BACKEND_ERROR', 'error', reason])
    })
  }

  test('a server that is down costs no more than the time limit', async () => {
    await using host = await open(always({ success: true }), { options: { authTimeout: 700 } })
    await host.server[Symbol.asyncDispose]()
    const verdict = await host.login(password())
    assert.equal(codeOf(verdict), 'AUTH_BACKEND_ERROR')
    const tries = host.codes().filter((code) => code === 'AUTH').length
    assert.ok(tries >= 2 && tries <= 3, `${tries} tries`)
    assert.equal(host.records.at(-1)?.level, 'error')
  })

  test('a client that goes away ends the tries, and that is no error', async () => {
    const gone = new AbortController()
    await using host = await open(
      (_asked, response) => {
        response.writeHead(503).end()
        setImmediate(() => gone.abort(new Error('the client disconnected')))
      },
      { options: { authTimeout: 600_000 } },
    )
    await host.login(password(), 'alice', gone.signal)
    assert.equal(host.server.asked.length, 1)
    assert.deepEqual(
      host.records.filter(({ level }) => level === 'error'),
      [],
    )
  })
})

describe('users of auth.users beside webhooks', () => {
  const users: readonly User[] = [{ name: 'alice', authorizedKeys: [line] }]

  test('users of our own are decided about here alone, by every method; others by the webhook', async () => {
    await using host = await open(always({ success: true }), { users })
    assert.deepEqual(host.connection.methods, ['publickey', 'password'])
    assert.equal((await host.login(key(true))).outcome, 'success')
    assert.equal(codeOf(await host.login(key(true, keyOf()))), 'AUTH_FAILED')
    assert.equal(codeOf(await host.login(password())), 'AUTH_FAILED')
    assert.equal(host.server.asked.length, 0)
    assert.equal((await host.login(key(true), 'bob')).outcome, 'success')
    assert.equal((await host.login(password(), 'bob')).outcome, 'success')
    assert.deepEqual(paths(host.server), ['/pubkey', '/password'])
  })

  test('keyboard-interactive lets a user of our own in only where a chain says so', async () => {
    const setup: Setup = { users, on: ['keyboardInteractive'] }
    await using alone = await open(always({ success: true }), setup)
    assert.equal(codeOf(await alone.login(interactive(async () => []))), 'AUTH_FAILED')
    assert.equal(alone.server.asked.length, 0)
    await using chained = await open(always({ success: true }), {
      ...setup,
      required: [['publickey', 'keyboard-interactive']],
    })
    assert.equal((await chained.login(key(true))).outcome, 'partial')
    assert.equal((await chained.login(interactive(async () => []))).outcome, 'success')
  })
})

describe('authorization by webhook', () => {
  const byPath =
    (answers: Readonly<Record<string, unknown>>): Handler =>
    (asked, response, request) =>
      always(answers[asked.url] ?? {}, asked.url in answers ? 200 : 500)(asked, response, request)
  const known = {
    success: true,
    authenticatedUsername: 'al',
    metadata: { A: { value: '1' }, T: { value: 'topsecret', sensitive: true } },
  }
  const on = ['password', 'publicKey', 'authz'] as const

  test('it is asked after authentication, with what is not sensitive, and adds to the member', async () => {
    const answers = {
      '/password': known,
      '/authz': { success: true, metadata: { A: { value: '2' }, B: { value: '3' } } },
    }
    await using host = await open(byPath(answers), { on })
    const member = memberOf(await host.login(password()))
    assert.equal(member.authenticatedUsername, 'al')
    assert.deepEqual(
      [...member.metadata].map(([name, { value }]) => `${name}=${value}`),
      ['A=2', 'T=topsecret', 'B=3'],
    )
    assert.deepEqual(paths(host.server), ['/password', '/authz'])
    const { username, authenticatedUsername, metadata } = JSON.parse(host.server.asked[1]?.body ?? '')
    assert.deepEqual([username, authenticatedUsername], ['alice', 'al'])
    assert.deepEqual(metadata, { A: { value: '1', sensitive: false } })
    const asking = host.records.filter(({ code }) => code === 'AUTH')[1]
    assert.deepEqual([asking?.labels['authenticatedUsername'], asking?.labels['providedUsername']], ['al', 'alice'])
  })

  test('what is sensitive is sent where the administrator says so', async () => {
    const answers = { '/password': known, '/authz': { success: true } }
    await using host = await open(byPath(answers), { on, transmitSensitiveMetadata: true })
    await host.login(password())
    assert.equal(JSON.parse(host.server.asked[1]?.body ?? '').metadata.T.value, 'topsecret')
  })

  test('who is not allowed in gets the failure of a wrong password', async () => {
    await using host = await open(byPath({ '/password': known, '/authz': { success: false } }), { on })
    const verdict = await host.login(password())
    assert.deepEqual([verdict.outcome, codeOf(verdict)], ['failure', 'AUTH_FAILED'])
  })

  test('no answer is a failure, with the reason', async () => {
    await using host = await open(byPath({ '/password': known }), { on })
    const verdict = await host.login(password())
    assert.deepEqual([verdict.outcome, codeOf(verdict)], ['failure', 'AUTH_BACKEND_ERROR'])
  })

  test('a refused password is not taken there, and a key only when the client has proved that it is theirs', async () => {
    await using host = await open(byPath({ '/password': {}, '/pubkey': known, '/authz': { success: true } }), { on })
    await host.login(password())
    await host.login(key(false))
    assert.deepEqual(paths(host.server), ['/password', '/pubkey'])
    await host.login(key(true))
    assert.deepEqual(paths(host.server), ['/password', '/pubkey', '/authz'])
  })

  test('users of auth.users need it too', async () => {
    const users: readonly User[] = [{ name: 'alice', authorizedKeys: [line] }]
    await using host = await open(byPath({ '/authz': { success: false } }), { on: ['authz'], users })
    assert.equal(codeOf(await host.login(key(true))), 'AUTH_FAILED')
  })
})

describe('keyboard-interactive by webhook', () => {
  const on = ['keyboardInteractive'] as const
  const challenge = { instruction: 'Hello', prompts: [{ text: 'Code: ', echo: true }], state: 'round 1' }

  test('the server asks, gets its state back with the answers, and decides', async () => {
    await using host = await open(
      (asked, response, request) => {
        const { answersBase64, state } = JSON.parse(asked.body)
        const isRight = state === 'round 1' && Buffer.from(answersBase64[0], 'base64').toString() === '123456'
        always(answersBase64 === undefined ? { challenge } : { success: isRight })(asked, response, request)
      },
      { on },
    )
    const seen: unknown[] = []
    const ask: Ask = async (inquiry) => {
      seen.push(inquiry.prompts, inquiry.instruction)
      return [Buffer.from('123456')]
    }
    assert.equal((await host.login(interactive(ask))).outcome, 'success')
    assert.deepEqual(seen, [challenge.prompts, 'Hello'])
    assert.deepEqual(paths(host.server), ['/keyboard-interactive', '/keyboard-interactive'])
    assert.equal((await host.login(interactive(async () => [Buffer.from('000000')]))).outcome, 'failure')
    assert.ok(!host.text().includes('123456') && !host.text().includes('MTIzNDU2'))
  })

  test('a server that asks without end, and a client that does not answer, end as failures', async () => {
    await using host = await open(always({ challenge }), { on })
    assert.equal(codeOf(await host.login(interactive(async () => [Buffer.from('x')]))), 'AUTH_FAILED')
    assert.equal(host.server.asked.length, 9)
    assert.equal(codeOf(await host.login(interactive(async () => undefined))), 'AUTH_FAILED')
    assert.equal(host.server.asked.length, 10)
  })
})

describe('chains of methods', () => {
  const required: Config['auth']['required'] = [
    ['publickey', 'password'],
    ['publickey', 'keyboard-interactive'],
  ]
  const setup: Setup = { on: ['password', 'publicKey', 'keyboardInteractive', 'authz'], required }
  const yes = always({ success: true })

  test('the first step is a partial success that names the next ones, the last one lets in, authorized once', async () => {
    await using host = await open(yes, setup)
    assert.deepEqual(host.connection.methods, ['publickey'])
    assert.equal((await host.login(key(false))).outcome, 'success', 'a query is no step')
    assert.deepEqual(await host.login(key(true)), { outcome: 'partial', methods: ['password', 'keyboard-interactive'] })
    assert.equal((await host.login(password())).outcome, 'success')
    assert.deepEqual(paths(host.server), ['/pubkey', '/password', '/authz'])
    assert.equal(
      host.records.find(({ code }) => code === 'AUTH_PARTIAL')?.labels['methods'],
      'password,keyboard-interactive',
    )
  })

  test('what is not next is refused without asking anybody', async () => {
    await using host = await open(yes, setup)
    const early = await host.login(password())
    assert.equal(codeOf(early), 'AUTH_FAILED')
    assert.deepEqual('methods' in early && early.methods, ['publickey'])
    assert.equal(host.server.asked.length, 0)
    await host.login(key(true))
    const again = await host.login(key(true))
    assert.deepEqual('methods' in again && again.methods, ['password', 'keyboard-interactive'])
    assert.equal(host.server.asked.length, 1)
  })

  test('a failed step keeps what was passed, another user name loses it', async () => {
    let right = true
    await using host = await open((...all) => always({ success: right })(...all), setup)
    await host.login(key(true))
    right = false
    const wrong = await host.login(password())
    assert.deepEqual('methods' in wrong && wrong.methods, ['password', 'keyboard-interactive'])
    right = true
    assert.equal(codeOf(await host.login(password(), 'bob')), 'AUTH_FAILED')
    assert.equal(codeOf(await host.login(password())), 'AUTH_FAILED', 'alice begins again')
    assert.equal((await host.login(key(true))).outcome, 'partial')
  })

  test('the member is what all steps say together', async () => {
    await using host = await open((asked, response, request) => {
      const first = asked.url === '/pubkey'
      const document = first
        ? { authenticatedUsername: 'al', metadata: { A: { value: '1' }, B: { value: '1' } } }
        : { metadata: { B: { value: '2' } } }
      always({ success: true, ...document })(asked, response, request)
    }, setup)
    await host.login(key(true))
    const member = memberOf(await host.login(password()))
    assert.equal(member.authenticatedUsername, 'al')
    assert.deepEqual(
      [...member.metadata].map(([name, { value }]) => name + value),
      ['A1', 'B2'],
    )
  })

  test('none is no step and tells the first method', async () => {
    await using host = await open(yes, setup)
    const verdict = await host.login({ method: 'none' })
    assert.deepEqual(
      ['fault' in verdict && verdict.fault.code, 'methods' in verdict && verdict.methods],
      ['AUTH_DISABLED', ['publickey']],
    )
  })
})
