import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { connect } from 'node:tls'
import { createAuthServer, createConfigServer, type WebhookServerOptions } from '../../src/webhook-server/index.ts'
import { createAuthority } from '../rigs/certificates.ts'
import { until } from '../rigs/daemon.ts'
import { all } from '../rigs/services.ts'
import { alice, call, dial, password, start } from './rig.ts'

type PasswordHandler = NonNullable<Parameters<typeof createAuthServer>[0]['password']>
const serverWith = (handler: PasswordHandler, more: WebhookServerOptions = {}) =>
  start((options) => createAuthServer({ password: handler }, options), more)
const yes: PasswordHandler = () => true
const post = (body: string) =>
  `POST /password HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
const good = JSON.stringify(password('x'))

describe('requests that are none', () => {
  test('another method is refused with the one that there is', async () => {
    await using started = await serverWith(yes)
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
      const { status, headers } = await call(`${started.url}/password`, undefined, { method })
      assert.deepEqual([method, status, headers['allow']], [method, 405, 'POST'])
    }
    const { status, headers } = await call(`${started.url}/openapi.json`, '{}')
    assert.deepEqual([status, headers['allow']], [405, 'GET, HEAD'])
  })

  test('an Accept header without JSON in it is status 406, one that makes no sense 400, both without a body', async () => {
    await using started = await serverWith(yes)
    const statusFor = async (accept: string) => {
      const { status, body } = await call(`${started.url}/password`, password('x'), { headers: { accept } })
      assert.equal(body === '', status !== 200)
      return status
    }
    for (const accept of ['application/json', 'text/html, */*;q=0.1', 'Application/*; q=1']) {
      assert.equal(await statusFor(accept), 200)
    }
    for (const accept of ['text/plain', 'application/json;q=0', '']) assert.equal(await statusFor(accept), 406)
    for (const accept of ['*/*;q=2', 'application/json;q=']) assert.equal(await statusFor(accept), 400)
  })

  const bodies: readonly (readonly [body: string | Buffer, reason: string])[] = [
    ['', 'it is empty'],
    ['{"topsecret', 'it is not JSON'],
    [`${good} topsecret`, 'it is not JSON'],
    ['[]', 'it is not an object'],
    ['{"username":"alice"}', 'passwordBase64 is missing'],
    ['{"username":"alice","passwordBase64":"topsecret"}', 'passwordBase64 is not base64'],
  ]
  for (const [body, reason] of bodies) {
    test(`${body === '' ? 'nothing' : body} is status 400 and a reason, which repeats no value`, async () => {
      await using started = await serverWith(yes)
      const answered = await call(`${started.url}/password`, body)
      assert.equal(answered.status, 400)
      assert.deepEqual(JSON.parse(answered.body), { error: 'Bad Request', reason })
      const record = await started.seen('AUTH_SERVER_DECODE_FAILED')
      assert.equal(record.level, 'debug')
      assert.ok(!JSON.stringify(record).includes('topsecret'))
    })
  }

  test('what is no UTF-8 is no JSON', async () => {
    await using started = await serverWith(yes)
    const socket = await dial(started.url)
    const head = 'POST /password HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\n'
    socket.write(Buffer.concat([Buffer.from(head), Buffer.from([0x22, 0xff, 0x22])]))
    assert.match((await all(socket)).toString(), /^HTTP\/1\.1 400 .*"it is not JSON"/s)
  })

  test('what is no HTTP is answered as such, and nothing else suffers', async () => {
    await using started = await serverWith(yes)
    const socket = await dial(started.url)
    socket.write('SSH-2.0-OpenSSH_9.2\r\n')
    assert.match((await all(socket)).toString(), /^HTTP\/1\.1 400 /)
    assert.equal((await call(`${started.url}/password`, password('x'))).status, 200)
  })
})

describe('limits', () => {
  test('a body that is too large is refused, announced or not, and the connection stays', async () => {
    await using started = await serverWith(yes, { limits: { requestBytes: 1000 } })
    const large = `{"username":"${'x'.repeat(2_000_000)}"}`
    const socket = await dial(started.url)
    const chunked = 'POST /password HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'
    const chunk = `${Buffer.byteLength(large).toString(16)}\r\n${large}\r\n0\r\n\r\n`
    const last = post(good).replace('Host', 'Connection: close\r\nHost')
    socket.write(post(large) + chunked + chunk + last)
    const statuses = (await all(socket)).toString().match(/HTTP\/1\.1 \d+/g)
    assert.deepEqual(statuses, ['HTTP/1.1 413', 'HTTP/1.1 413', 'HTTP/1.1 200'])
  })

  test('bodies that together are too large are refused until there is room again', async () => {
    const released = Promise.withResolvers<boolean>()
    const entered = Promise.withResolvers<void>()
    const handler: PasswordHandler = () => {
      entered.resolve()
      return released.promise
    }
    await using started = await serverWith(handler, { limits: { totalBytes: 1500 } })
    const body = { ...password('x'), future: 'x'.repeat(1000) }
    const first = call(`${started.url}/password`, body)
    await entered.promise
    assert.equal((await call(`${started.url}/password`, body)).status, 503)
    released.resolve(true)
    assert.equal((await first).status, 200)
    assert.equal((await call(`${started.url}/password`, body)).status, 200)
  })

  test('a connection cannot have more requests at work than there may be connections', async () => {
    const released = Promise.withResolvers<boolean>()
    let running = 0
    const handler: PasswordHandler = () => {
      running++
      return released.promise
    }
    await using started = await serverWith(handler, { limits: { connections: 3 } })
    const socket = await dial(started.url)
    const closing = post(good).replace('Host', 'Connection: close\r\nHost')
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    socket.write(post(good).repeat(6) + closing)
    const closed = once(socket, 'close')
    await until('three requests at work', () => running === 3)
    released.resolve(true)
    await closed
    assert.equal(running, 3)
    assert.deepEqual(
      text.match(/HTTP\/1\.1 \d+/g)?.map((line) => line.slice(9)),
      ['200', '200', '200', '503', '503', '503', '503'],
    )
  })

  test('connections beyond the bound are closed, and those within it go on', async () => {
    await using started = await serverWith(yes, { limits: { connections: 1 } })
    const socket = await dial(started.url)
    const answered = once(socket, 'data')
    socket.write(post(good))
    await answered
    const second = await dial(started.url)
    assert.equal((await all(second).catch(() => Buffer.alloc(0))).length, 0)
    socket.end(post(good))
    assert.match((await all(socket)).toString(), /^HTTP\/1\.1 200 /)
  })

  test('a request that does not come to its end is cut', async () => {
    await using started = await serverWith(yes, { limits: { requestMs: 100 } })
    const socket = await dial(started.url)
    socket.write(post(good).slice(0, -5))
    assert.match((await all(socket)).toString(), /^(HTTP\/1\.1 408 |$)/)
  })

  test('a handler that takes too long is told so, and its caller gets status 500', async () => {
    const told = Promise.withResolvers<unknown>()
    const handler: PasswordHandler = (_request, { signal }) => {
      signal.addEventListener('abort', () => told.resolve(signal.reason))
      return new Promise(() => undefined)
    }
    await using started = await serverWith(handler, { limits: { answerMs: 50 } })
    const { status, body } = await call(`${started.url}/password`, password('x'))
    assert.deepEqual([status, body], [500, '{"success":false}\n'])
    assert.match(String(await told.promise), /the handler took longer than 50 ms/)
    assert.equal((await started.seen('AUTH_SERVER_DECODE_FAILED')).level, 'error')
  })
})

describe('callers that go away', () => {
  test('while the handler thinks: it is told', async () => {
    const entered = Promise.withResolvers<void>()
    const told = Promise.withResolvers<void>()
    await using started = await serverWith(
      (_request, { signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => told.resolve())
          entered.resolve()
        }),
    )
    const socket = await dial(started.url)
    socket.write(post(good))
    await entered.promise
    socket.resetAndDestroy()
    await told.promise
    const { labels } = await started.seen('HTTP_SERVER_RESPONSE_WRITE_FAILED')
    assert.deepEqual([labels['method'], labels['path']], ['POST', '/password'])
    assert.ok(!started.records.some(({ code }) => code === 'AUTH_SERVER_DECODE_FAILED'))
  })

  test('in the midst of a large answer', async () => {
    const files = { '/large': Buffer.alloc(7 * 2 ** 20) }
    await using started = await serverWith(() => ({ success: true, files }))
    const socket = await dial(started.url)
    socket.write(post(good))
    await once(socket, 'data')
    socket.resetAndDestroy()
    await started.seen('HTTP_SERVER_RESPONSE_WRITE_FAILED')
  })

  test('in the midst of their request', async () => {
    await using started = await serverWith(yes)
    const socket = await dial(started.url)
    socket.write(post(good).slice(0, -5))
    socket.end()
    await all(socket)
    assert.equal((await call(`${started.url}/password`, password('x'))).status, 200)
  })
})

describe('listening and stopping', () => {
  test('a port that is taken is an error with the code', async () => {
    await using started = await serverWith(yes)
    const listen = new URL(started.url).host
    await assert.rejects(createAuthServer({ password: yes }, { listen }), { code: 'HTTP_LISTEN_FAILED' })
    await assert.rejects(
      createConfigServer(() => ({}), { listen: 'nowhere' }),
      /cannot listen on nowhere/,
    )
  })

  test('what has been asked is still answered, what comes later is not', async () => {
    const released = Promise.withResolvers<boolean>()
    const entered = Promise.withResolvers<void>()
    await using started = await serverWith(() => {
      entered.resolve()
      return released.promise
    })
    const idle = await dial(started.url)
    const first = call(`${started.url}/password`, password('x'))
    await entered.promise
    const closed = started.server.close()
    await once(idle, 'close')
    await assert.rejects(call(`${started.url}/password`, password('x')), { code: 'ECONNREFUSED' })
    released.resolve(true)
    const { status, headers } = await first
    assert.deepEqual([status, headers['connection']], [200, 'close'])
    await closed
  })

  test('a handler that never ends does not keep the server from ending', async () => {
    const entered = Promise.withResolvers<void>()
    await using started = await serverWith(
      () => {
        entered.resolve()
        return new Promise(() => undefined)
      },
      { limits: { stopMs: 50 } },
    )
    const asked = call(`${started.url}/password`, password('x'))
    await entered.promise
    await Promise.all([started.server.close(), assert.rejects(asked, { code: 'ECONNRESET' })])
  })
})

describe('TLS', () => {
  test('callers need a certificate of the CA, and new certificates are taken without a restart', async () => {
    using authority = createAuthority()
    using stranger = createAuthority()
    const first = authority.issue('first', 'IP:127.0.0.1')
    const second = authority.issue('second', 'IP:127.0.0.1')
    const daemon = authority.issue('daemon', 'DNS:daemon')
    const other = stranger.issue('daemon', 'DNS:daemon')
    const [cert, key] = [join(authority.folder, 'in-use.crt'), join(authority.folder, 'in-use.key')]
    const use = (from: typeof first) => {
      writeFileSync(cert, from.cert)
      writeFileSync(key, readFileSync(from.keyFile))
    }
    use(first)
    const tls = { cert, key, clientCa: authority.ca.certFile }
    await using started = await serverWith(yes, { tls })
    const ca = authority.ca.cert
    const ask = (as: { cert: string; key: string }) =>
      call(`${started.url}/password`, password('x'), { ca, cert: as.cert, key: as.key })
    assert.match(started.url, /^https:/)
    assert.equal((await ask(daemon)).status, 200)

    await assert.rejects(ask(other))
    assert.match((await started.seen('HTTP_SERVER_TLS_FAILED')).message, /UNABLE_TO_VERIFY_LEAF_SIGNATURE/)
    await assert.rejects(call(`${started.url}/password`, password('x'), { ca }))
    await assert.rejects(call(`${started.url.replace('https', 'http')}/password`, password('x')))

    const nameOf = async (): Promise<string | undefined> => {
      const { cert, key } = daemon
      const socket = connect({ port: Number(new URL(started.url).port), host: '127.0.0.1', ca, cert, key })
      await once(socket, 'secureConnect')
      const { CN } = socket.getPeerCertificate().subject
      socket.destroy()
      return String(CN)
    }
    assert.equal(await nameOf(), 'first')
    use(second)
    await started.server.renewTls()
    assert.equal(await nameOf(), 'second')
    writeFileSync(key, readFileSync(first.keyFile))
    await assert.rejects(started.server.renewTls(), /cannot be used together/)
    assert.equal(await nameOf(), 'second')
  })

  test('certificates that cannot be used are an error that says which', async () => {
    using authority = createAuthority()
    const { cert, key } = authority.issue('server', 'IP:127.0.0.1')
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{ key: '/nowhere' }, /the key: the file "\/nowhere" cannot be read \(ENOENT\)/],
      [{ key: authority.ca.key }, /cannot be used together/],
      [{ cert: '-----BEGIN' }, /cannot be used together/],
      [{ clientCa: '/nowhere' }, /the CA of clients: the file "\/nowhere" cannot be read/],
    ]
    for (const [change, message] of wrong) {
      const tls = { cert, key, ...change }
      await assert.rejects(
        createConfigServer(() => ({}), { listen: '127.0.0.1:0', tls }),
        message,
      )
    }
  })
})

test('keyed by the name of the user, nothing of the inside of an object is a handler', async () => {
  await using started = await serverWith(yes)
  for (const path of ['/constructor', '/__proto__', '/toString', '/%70assword']) {
    assert.equal((await call(started.url + path, alice)).status, 404)
  }
})
