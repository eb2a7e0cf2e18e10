import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Config, schema } from '../../../src/shared/config/schema.ts'
import { processCounters } from '../../../src/shared/metric.ts'
import { connectionOf } from '../../../src/workers/layers/index.ts'
import { createUsers } from '../../../src/workers/layers/users.ts'
import type { ConnectionId, Member, Peer, Session, Verdict } from '../../../src/workers/ports.ts'
import { createWebhooks } from '../../../src/workers/webhook/index.ts'
import { until } from '../../rigs/daemon.ts'
import { createRoom } from '../../rigs/room.ts'
import { always, type Handler, startWebhook, type TestWebhook } from '../../rigs/webhook.ts'
import { zeroAnswer } from '../../shared/config/user/documents.ts'
import { testLog } from '../webhook/rig.ts'

interface Setup {
  /** As in a file. */
  readonly file?: Readonly<Record<string, unknown>>
  readonly configserver?: Readonly<Record<string, unknown>>
  readonly member?: Partial<Member>
  readonly level?: Config['log']['level']
}
const none = new Map<string, never>()
const alice: Member = {
  ...{ username: 'alice', authenticatedUsername: 'alice@example.com', metadata: none, environment: none, files: none },
}
/** A few tries of what may help; one of what will be refused again. */
const impatient = { timeout: 10_000, configTimeout: 1000, retryRefusals: false }

/** One connection with a configuration server, somebody who has logged in, and a room that remembers who came. */
async function open(handler: Handler, setup: Setup = {}) {
  const server = await startWebhook(handler)
  return at(server.url, setup, server)
}
function at(url: string, setup: Setup, server?: TestWebhook) {
  const { file = {}, configserver = {}, member = {}, level = 'debug' } = setup
  const config: Config = schema.parse({
    log: { level },
    ...file,
    configserver: { url, timeout: 1000, ...configserver },
  })
  const { records, log, codes, text } = testLog()
  const connectionId = '0123456789abcdef0123456789abcdef' as ConnectionId
  const peer: Peer = {
    ...{ connectionId, remoteAddress: '192.0.2.1', remotePort: 4711, country: 'XX', clientVersion: 'SSH-2.0-test' },
    log: log.at(level).with({ connectionId, remoteAddr: '192.0.2.1' }),
  }
  const webhooks = createWebhooks(config, ['docker'])
  const room = createRoom()
  const users = createUsers(config.auth, log)
  const connection = connectionOf(peer, { users, webhooks, roomOf: () => room, security: config.security })
  const enter = (signal = new AbortController().signal): Promise<Verdict<Session>> =>
    connection.enter({ ...alice, ...member }, signal)
  return {
    config,
    room,
    records,
    codes,
    text,
    enter,
    asked: () => (server?.asked ?? []).map(({ body }) => JSON.parse(body) as Record<string, unknown>),
    requests: () => server?.asked ?? [],
    /** Must be let in. */
    async session(): Promise<Session> {
      const verdict = await enter()
      if (!verdict.accepted) throw verdict.fault
      return verdict.value
    },
    /** Must not be. */
    async refusal(signal?: AbortSignal) {
      const verdict = await enter(signal)
      assert.ok(!verdict.accepted)
      assert.equal(room.inside(), 0)
      return verdict.fault
    },
    async [Symbol.asyncDispose]() {
      await webhooks?.[Symbol.asyncDispose]()
      await server?.[Symbol.asyncDispose]()
    },
  }
}
const memberIn = ({ room }: Awaited<ReturnType<typeof open>>): Member => {
  const [first] = room.occupants
  assert.ok(first !== undefined)
  return first.member
}

describe('the request', () => {
  const rich: Partial<Member> = {
    metadata: new Map([
      ['TEAM', { value: 'blue', sensitive: false }],
      ['TOKEN', { value: 'topsecret', sensitive: true }],
    ]),
    environment: new Map([['LANG', { value: 'C.UTF-8', sensitive: false }]]),
    files: new Map([['/etc/motd', { value: Buffer.from('hello\n'), sensitive: false }]]),
  }
  const head = '{"remoteAddress":"192.0.2.1:4711","connectionId":"0123456789abcdef0123456789abcdef",'
  const tail = '"clientVersion":"SSH-2.0-test","username":"alice","authenticatedUsername":"alice@example.com"'

  test('has every byte as the Go program writes it, without what is sensitive, at the URL as it is', async () => {
    await using host = await open(always({ config: {} }), { member: rich })
    await host.session()
    const [request] = host.requests()
    assert.equal(
      request?.body,
      `${head}"metadata":{"TEAM":{"value":"blue","sensitive":false}},` +
        '"environment":{"LANG":{"value":"C.UTF-8","sensitive":false}},' +
        `"files":{"/etc/motd":{"value":"aGVsbG8K","sensitive":false}},${tail}}\n`,
    )
    assert.deepEqual([request?.method, request?.url], ['POST', '/'])
    assert.ok(!host.text().includes('topsecret'))
  })

  test('has what is sensitive on request', async () => {
    await using host = await open(always({}), { member: rich, configserver: { transmitSensitiveMetadata: true } })
    await host.session()
    assert.deepEqual(host.asked()[0]?.['metadata'], {
      TEAM: { value: 'blue', sensitive: false },
      TOKEN: { value: 'topsecret', sensitive: true },
    })
    assert.equal(memberIn(host).metadata.get('TOKEN')?.value, 'topsecret')
  })

  test('has the fields from before 0.5 on request', async () => {
    await using host = await open(always({}), { configserver: { legacyFields: true } })
    await host.session()
    const legacy = { sessionId: '0123456789abcdef0123456789abcdef', remoteAddr: '192.0.2.1' }
    assert.equal(host.requests()[0]?.body, `${head}${tail},${JSON.stringify(legacy).slice(1)}\n`)
  })
})

describe('the answer', () => {
  test('that is empty, or full of zero values, leaves a user with what everybody has', async () => {
    for (const answer of [{}, { config: null }, zeroAnswer()]) {
      await using host = await open(always(answer))
      await host.session()
      const { settings, authenticatedUsername } = memberIn(host)
      assert.equal(settings?.docker, host.config.docker)
      assert.equal(settings?.security, host.config.security)
      assert.equal(authenticatedUsername, 'alice@example.com')
    }
  })

  test('adds metadata, environment and files to those that there were, or to none', async () => {
    const answer = {
      authenticatedUsername: 'al',
      metadata: { A: { value: 'new' }, B: { value: 'b' } },
      environment: { E: { value: 'e', sensitive: true } },
      files: { '/f': { value: 'aGk=' } },
    }
    const metadata = new Map([
      ['A', { value: 'old', sensitive: false }],
      ['C', { value: 'c', sensitive: false }],
    ])
    await using host = await open(always(answer), { member: { metadata } })
    await host.session()
    const member = memberIn(host)
    assert.equal(member.authenticatedUsername, 'al')
    assert.deepEqual([...member.metadata].map(([name, { value }]) => [name, value]).sort(), [
      ['A', 'new'],
      ['B', 'b'],
      ['C', 'c'],
    ])
    assert.deepEqual(member.environment.get('E'), { value: 'e', sensitive: true })
    assert.equal(Buffer.from(member.files.get('/f')?.value ?? []).toString(), 'hi')
  })

  test('decides about the room’s section, what may be asked for, and how long the session lasts', async () => {
    const config = {
      docker: { execution: { container: { image: 'own' } } },
      security: { forwarding: { forwardingMode: 'enable' } },
      limits: { idleTimeout: '5m' },
    }
    await using host = await open(always({ config }))
    const session = await host.session()
    assert.equal(memberIn(host).settings?.docker.execution.container.Image, 'own')
    assert.deepEqual(session.limits, { idleTimeout: 300_000 })
    const target = { kind: 'unix', path: '/nonexistent' } as const
    const origin = { address: '', port: 0 }
    const verdict = await session.dial(target, origin, new AbortController().signal)
    assert.ok(!verdict.accepted && verdict.fault.code === 'SECURITY_FORWARDING_REJECTED') // sockets are not enabled
    const tcp = await session.dial({ kind: 'tcp', host: '192.0.2.9', port: 1 }, origin, new AbortController().signal)
    assert.ok(!tcp.accepted && tcp.fault.code === 'SSH_NOT_IMPLEMENTED') // the room's own words
  })

  test('may raise or lower the level of the user’s records about his room, not of others', async () => {
    const deny = { security: { tty: { mode: 'disable' } } }
    for (const [level, own, expected] of [
      ['notice', 'debug', 1],
      ['debug', 'error', 0],
    ] as const) {
      await using host = await open(always({ config: { ...deny, log: { level: own } } }), { level })
      const session = await host.session()
      const channel = await session.open(1 as never, () => undefined)
      assert.ok(channel.accepted)
      const size = { columns: 1, rows: 1, widthPixels: 0, heightPixels: 0 }
      const pty = { term: 'x', size, modes: new Uint8Array() }
      const nothing = { write: () => true, onDrain: () => undefined, end: () => undefined }
      const stdio = { stdin: { into: () => undefined }, stdout: nothing, stderr: nothing }
      assert.ok(!(await channel.value.request({ kind: 'pty-req', pty }, stdio)).accepted)
      assert.equal(host.codes().filter((code) => code === 'SECURITY_TTY_REJECTED').length, expected)
      assert.equal(host.codes().includes('CONFIG_REQUEST'), level === 'debug')
    }
  })

  test('has properties that mean nothing to us: they are named in the record', async () => {
    await using host = await open(always({ config: {}, sessionId: 'x', Foo: 1 }))
    await host.session()
    const line = host.records.find(({ code }) => code === 'CONFIG_RESPONSE')
    assert.equal(line?.labels['ignored'], 'sessionId, Foo')
  })

  test('that sets what cannot be set per user is refused, or used with a warning', async () => {
    const answer = always({ config: { ssh: { banner: 'hi' } } })
    {
      await using host = await open(answer)
      const fault = await host.refusal()
      assert.deepEqual([fault.code, fault.labels['option']], ['BACKEND_CONFIG_ERROR', 'ssh.banner'])
      const line = host.records.find(({ code }) => code === 'BACKEND_CONFIG_ERROR')
      assert.match(
        line?.message ?? '',
        /\(ssh\.banner: cannot be set per user; expected in the configuration file only\)/,
      )
    }
    await using host = await open(answer, { configserver: { ignoreOtherOptions: true } })
    await host.session()
    await host.session()
    assert.equal(host.codes().filter((code) => code === 'CONFIG_OPTION_IGNORED').length, 1)
  })

  test('that is invalid is refused at once, and asked for once', async () => {
    await using host = await open(always({ config: { backend: 'foo' } }))
    const fault = await host.refusal()
    assert.equal(fault.code, 'BACKEND_CONFIG_ERROR')
    assert.equal(fault.userText, 'The server has no usable configuration for you. Please tell its administrators.')
    const line = host.records.at(-1)
    assert.equal(line?.level, 'error')
    assert.partialDeepStrictEqual(line?.labels, { module: 'backend', username: 'alice', remoteAddr: '192.0.2.1' })
    assert.equal(line?.labels['connectionId'], '0123456789abcdef0123456789abcdef')
    assert.equal(host.asked().length, 1)
  })
})

describe('a server that gives no usable answer', () => {
  const refused = async (handler: Handler, reason: string, statusCode?: number): Promise<void> => {
    processCounters.take()
    const patience = reason === 'HTTP_CLIENT_DECODE_FAILED' ? { configTimeout: 10_000 } : {}
    await using host = await open(handler, { configserver: { ...impatient, ...patience } })
    const fault = await host.refusal()
    assert.equal(fault.code, 'CONFIG_BACKEND_ERROR')
    assert.equal(fault.userText, 'Your configuration is not available at the moment. Please try again later.')
    const last = host.records.at(-1)
    assert.deepEqual([last?.code, last?.level, last?.labels['reason']], ['CONFIG_BACKEND_ERROR', 'error', reason])
    const cause = host.records.find(({ code }) => code === reason)
    assert.equal(cause?.level, 'debug')
    if (statusCode !== undefined) assert.equal(cause?.labels['statusCode'], statusCode)
    const failures = processCounters.take().filter(([name]) => name === 'containerssh_config_server_failures_total')
    assert.deepEqual(
      new Set(failures.map(([, [type, , why]]) => `${type} ${why}`)),
      new Set([`soft ${reason}`, `hard ${reason}`]),
    )
  }
  test('status 500, with a body of any kind', async () => {
    await refused(always({ config: {} }, 500), 'CONFIG_INVALID_STATUS_CODE', 500)
    await refused(always('<html>', 500), 'CONFIG_INVALID_STATUS_CODE', 500)
  })
  test('status 204 and 404', async () => {
    await refused(always('', 204), 'CONFIG_INVALID_STATUS_CODE', 204)
    await refused(always('', 404), 'CONFIG_INVALID_STATUS_CODE', 404)
  })
  test('a closed socket', () => refused((_asked, response) => response.destroy(), 'HTTP_CLIENT_CONNECTION_FAILED'))
  test('no answer in time', () => refused(() => undefined, 'HTTP_CLIENT_CONNECTION_FAILED'))
  test('no JSON, or a wrong type', async () => {
    await refused(always('hello'), 'HTTP_CLIENT_DECODE_FAILED')
    await refused(always({ config: {}, metadata: 5 }), 'HTTP_CLIENT_DECODE_FAILED')
    await refused(always({ files: { '/x': { value: '%%' } } }), 'HTTP_CLIENT_DECODE_FAILED')
    await refused(always({ environment: { A: { value: 'a\0b' } } }), 'HTTP_CLIENT_DECODE_FAILED')
  })
  test('more files, or larger ones, than any container needs', async () => {
    const many = Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`/f${i}`, { value: '' }]))
    await refused(always({ files: many }), 'HTTP_CLIENT_DECODE_FAILED')
    const large = Buffer.alloc(9 * 2 ** 20).toString('base64')
    await refused(always({ files: { '/f': { value: large } } }), 'HTTP_CLIENT_DECODE_FAILED')
  })
  test('a redirect', () =>
    refused((_asked, response) => {
      response.writeHead(302, { location: '/elsewhere' }).end()
    }, 'HTTP_CLIENT_REDIRECTS_DISABLED'))

  test('nobody is there: told by the reason of the connection', async () => {
    const gone = await startWebhook(always({}))
    await gone[Symbol.asyncDispose]()
    await using host = at(gone.url, { configserver: impatient })
    assert.equal((await host.refusal()).labels['reason'], 'HTTP_CLIENT_CONNECTION_FAILED')
  })

  test('is asked again, also after a status of 4xx, until it answers', async () => {
    let tries = 0
    await using host = await open((asked, response, request) => {
      tries++
      if (tries < 3) always('', tries === 1 ? 404 : 500)(asked, response, request)
      else always({ config: {} })(asked, response, request)
    })
    await host.session()
    const lines = host.records.filter(({ code }) => code === 'CONFIG_BACKEND_ERROR')
    assert.deepEqual(
      lines.map(({ level, labels }) => [level, labels['attempt'], labels['reason']]),
      [
        ['debug', 1, 'CONFIG_INVALID_STATUS_CODE'],
        ['debug', 2, 'CONFIG_INVALID_STATUS_CODE'],
      ],
    )
    assert.equal(host.codes().filter((code) => code === 'CONFIG_REQUEST').length, 3)
  })

  test('with retryRefusals off, what will be refused again is asked for once', async () => {
    for (const answer of [always('', 404), always('hello')]) {
      await using host = await open(answer, { configserver: { retryRefusals: false } })
      await host.refusal()
      assert.equal(host.asked().length, 1)
    }
  })

  test('is not asked any more when the client has gone, and nobody is alarmed', async () => {
    await using host = await open(always('', 500))
    const leaving = new AbortController()
    const refusal = host.refusal(leaving.signal)
    await until('a first try', () => host.codes().includes('CONFIG_BACKEND_ERROR'))
    leaving.abort(new Error('the client disconnected'))
    await refusal
    assert.ok(host.records.every(({ level }) => level === 'debug'))
    assert.equal(host.asked().length, 1)
  })
})
