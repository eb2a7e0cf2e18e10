import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createHttpClient, type Reply } from '../../../src/workers/webhook/client.ts'
import { type Authority, type Certificate, createAuthority } from '../../rigs/certificates.ts'
import { always, startWebhook } from '../../rigs/webhook.ts'
import { openClient, settingsOf, testLog } from './rig.ts'

const codeOf = (reply: Reply<unknown>): string => (reply.kind === 'failure' ? reply.fault.code : reply.kind)
const againOf = (reply: Reply<unknown>): string => (reply.kind === 'answer' ? '' : reply.again)

describe('requests', () => {
  test('a request has the headers and the body of the Go program, and its two records', async () => {
    await using server = await startWebhook(always({ success: true }))
    await using http = openClient(server.url)
    const reply = await http.post()
    assert.deepEqual(reply, { kind: 'answer', value: { success: true } })
    const [asked] = server.asked
    assert.equal(asked?.method, 'POST')
    assert.equal(asked?.url, '/password')
    assert.equal(asked?.body, '{"username":"alice","passwordBase64":"c2VjcmV0"}\n')
    const { 'content-type': type, accept, 'content-length': length, 'accept-encoding': encoding } = asked?.headers ?? {}
    assert.deepEqual([type, accept, length, encoding], ['application/json', 'application/json', '49', 'gzip'])
    assert.deepEqual(http.codes(), ['HTTP_CLIENT_REQUEST', 'HTTP_CLIENT_RESPONSE'])
    assert.deepEqual(http.records[1]?.labels, {
      module: 'auth',
      method: 'POST',
      endpoint: server.url,
      path: '/password',
      url: `${server.url}/password`,
      statusCode: 200,
    })
  })

  test('the path is appended to the URL as it is, also after a slash', async () => {
    await using server = await startWebhook(always({}))
    await using http = openClient(`${server.url}/hooks/`)
    await http.post('/pubkey')
    assert.equal(server.asked[0]?.url, '/hooks//pubkey')
  })

  test('connections are kept: requests one after the other make do with two', async () => {
    await using server = await startWebhook(always({}))
    await using http = openClient(server.url)
    for (let i = 0; i < 10; i++) await http.post()
    // The library looks for a free one when the last answer has just arrived and its connection is not free yet.
    assert.ok(server.connections() <= 2, `${server.connections()}`)
  })

  test('an answer may be gzipped, in pieces, of any content type, and followed by more', async () => {
    await using server = await startWebhook((_asked, response) => {
      response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' })
      const whole = gzipSync('{"success":true}\n{"success":false}')
      response.write(whole.subarray(0, 9))
      response.end(whole.subarray(9))
    })
    await using http = openClient(server.url)
    assert.deepEqual(await http.post(), { kind: 'answer', value: { success: true } })
  })

  test('user and password of the URL are sent, and stand in no log', async () => {
    await using server = await startWebhook(always({}))
    await using http = openClient(server.url.replace('http://', 'http://hook:topsecret@'))
    await http.post()
    assert.equal(server.asked[0]?.headers.authorization, `Basic ${Buffer.from('hook:topsecret').toString('base64')}`)
    assert.ok(!http.text().includes('topsecret'), http.text())
    assert.ok(!http.client.endpoint.includes('topsecret'))
  })
})

describe('answers that are none', () => {
  const cases: readonly (readonly [name: string, body: string | Buffer, code: string])[] = [
    ['empty', '', 'HTTP_CLIENT_DECODE_FAILED'],
    ['a page', '<html>topsecret</html>', 'HTTP_CLIENT_DECODE_FAILED'],
    ['cut off', '{"success": tru', 'HTTP_CLIENT_DECODE_FAILED'],
  ]
  for (const [name, body, code] of cases) {
    test(`a body that is ${name} is ${code} and is not asked for again`, async () => {
      await using server = await startWebhook((_asked, response) => void response.end(body))
      await using http = openClient(server.url)
      const reply = await http.post()
      assert.deepEqual([codeOf(reply), againOf(reply)], [code, 'no'])
      assert.equal(http.records.at(-1)?.labels['statusCode'], 200)
      assert.ok(!http.text().includes('topsecret'))
    })
  }

  test('a body without an end is cut off at 16 MiB', async () => {
    await using server = await startWebhook((_asked, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 20, 0x20)));
      }
      response.on('drain', more)
      more()
    })
    await using http = openClient(server.url, { timeout: 30_000 })
    const reply = await http.post()
    assert.deepEqual([codeOf(reply), againOf(reply)], ['HTTP_CLIENT_DECODE_FAILED', 'no'])
    assert.match(http.records.at(-1)?.message ?? '', /larger than 16 MiB/)
  })

  test('a small body that unpacks to a large one is cut off too', async () => {
    const bomb = gzipSync(Buffer.alloc(64 << 20))
    await using server = await startWebhook((_asked, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' })
      response.end(bomb)
    })
    await using http = openClient(server.url, { timeout: 30_000 })
    assert.equal(codeOf(await http.post()), 'HTTP_CLIENT_DECODE_FAILED')
  })

  for (const [status, again] of [
    [500, 'yes'],
    [503, 'yes'],
    [429, 'yes'],
    [408, 'yes'],
    [404, 'no'],
    [401, 'no'],
    [204, 'no'],
  ] as const) {
    test(`status ${status} is told as such before the body is looked at; another try helps: ${again}`, async () => {
      await using server = await startWebhook((_asked, response) => {
        response.writeHead(status, { 'retry-after': '7' })
        response.end(status === 204 ? undefined : '<html>')
      })
      await using http = openClient(server.url)
      assert.deepEqual(await http.post(), { kind: 'status', status, again, pauseMs: 7000 })
    })
  }
})

describe('connections that fail', () => {
  test('nobody listens', async () => {
    const server = await startWebhook(always({}))
    await server[Symbol.asyncDispose]()
    await using http = openClient(server.url)
    const reply = await http.post()
    assert.deepEqual([codeOf(reply), againOf(reply)], ['HTTP_CLIENT_CONNECTION_FAILED', 'yes'])
    assert.match(http.records.at(-1)?.message ?? '', /ECONNREFUSED/)
  })

  test('the server hangs up in the middle of its answer', async () => {
    await using server = await startWebhook((_asked, response, request) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"succ', () => request.socket.destroy())
    })
    await using http = openClient(server.url)
    const reply = await http.post()
    assert.deepEqual([codeOf(reply), againOf(reply)], ['HTTP_CLIENT_CONNECTION_FAILED', 'yes'])
  })

  test('the server takes the request and is silent: the time limit ends it', async () => {
    await using server = await startWebhook(() => undefined)
    await using http = openClient(server.url, { timeout: 150 })
    const reply = await http.post()
    assert.deepEqual([codeOf(reply), againOf(reply)], ['HTTP_CLIENT_CONNECTION_FAILED', 'yes'])
    assert.match(http.records.at(-1)?.message ?? '', /took longer than 150 ms/)
  })

  test('the server begins its answer and stalls: the time limit covers the body', async () => {
    await using server = await startWebhook((_asked, response) => void response.write('{'))
    await using http = openClient(server.url, { timeout: 150 })
    assert.equal(codeOf(await http.post()), 'HTTP_CLIENT_CONNECTION_FAILED')
  })

  test('something else than HTTP answers', async () => {
    const server = createServer((socket: Socket) => {
      socket.on('error', () => undefined)
      socket.end('SSH-2.0-x\r\n')
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const address = server.address()
    await using http = openClient(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`)
    assert.equal(codeOf(await http.post()), 'HTTP_CLIENT_CONNECTION_FAILED')
    server.close()
  })

  test('the client that wants to log in goes away: the request ends at once, and its connection with it', async () => {
    const gone = new AbortController()
    const { promise: cut, resolve } = Promise.withResolvers<void>()
    await using server = await startWebhook((_asked, _response, request) => {
      request.socket.on('close', () => resolve())
      gone.abort(new Error('the client disconnected'))
    })
    await using http = openClient(server.url, { timeout: 60_000 })
    const reply = await http.post('/password', gone.signal)
    assert.equal(againOf(reply), 'no')
    assert.match(reply.kind === 'failure' ? String(reply.fault.cause) : '', /the client disconnected/)
    await cut
  })

  test('a server that does not answer for long is not even asked, until one request finds it again', async (context) => {
    let now = 0
    context.mock.method(performance, 'now', () => now)
    await using server = await startWebhook((_asked, response) => void response.writeHead(503).end())
    await using http = openClient(server.url)
    for (now = 0; now <= 3000; now += 600) await http.post()
    const asked = server.asked.length
    const refused = await http.post()
    assert.deepEqual([codeOf(refused), againOf(refused)], ['HTTP_CLIENT_CONNECTION_FAILED', 'if begun'])
    assert.equal(server.asked.length, asked)
    server.handler = always({})
    now += 10_000
    const [probe, other] = await Promise.all([http.post(), http.post()])
    assert.deepEqual([probe.kind, other.kind], ['answer', 'failure'])
    assert.equal((await http.post()).kind, 'answer')
  })

  test('2,000 requests run side by side: the server answers none before it has all of them', async () => {
    const count = 2000
    const held: ServerResponse[] = []
    await using server = await startWebhook((_asked, response) => {
      if (held.push(response) === count) for (const one of held) one.end('{"success":true}')
    })
    await using http = openClient(server.url, { timeout: 60_000 })
    const replies = await Promise.all(Array.from({ length: count }, () => http.post()))
    assert.ok(replies.every((reply) => reply.kind === 'answer'))
    assert.equal(server.asked.length, count)
  })

  test('what is too much for all connections and for the queue is refused at once', async () => {
    const held: ServerResponse[] = []
    await using server = await startWebhook((_asked, response) => void held.push(response))
    await using http = openClient(server.url, { timeout: 60_000 })
    const gone = new AbortController()
    const all = Array.from({ length: 2048 + 4096 }, () => http.post('/password', gone.signal))
    const refused = await http.post()
    assert.deepEqual([codeOf(refused), againOf(refused)], ['HTTP_CLIENT_CONNECTION_FAILED', 'if begun'])
    assert.match(http.records.at(-1)?.message ?? '', /too many requests wait/)
    gone.abort(new Error('the clients disconnected'))
    assert.ok((await Promise.all(all)).every((reply) => reply.kind === 'failure'))
  })
})

describe('redirects', () => {
  const to =
    (location: string, status = 307) =>
    (_asked: unknown, response: ServerResponse) =>
      void response.writeHead(status, { location }).end()

  test('without allowRedirects a redirect is HTTP_CLIENT_REDIRECTS_DISABLED, and nobody else sees the request', async () => {
    await using other = await startWebhook(always({}))
    await using server = await startWebhook(to(`${other.url}/x?token=topsecret`))
    await using http = openClient(server.url)
    const reply = await http.post()
    assert.deepEqual([codeOf(reply), againOf(reply)], ['HTTP_CLIENT_REDIRECTS_DISABLED', 'no'])
    assert.equal(http.records.at(-1)?.labels['redirect'], `${other.url}/x?…`)
    assert.equal(other.asked.length, 0)
  })

  for (const status of [307, 308]) {
    test(`${status} repeats the request elsewhere`, async () => {
      await using other = await startWebhook(always({ success: true }))
      await using server = await startWebhook(to(`${other.url}/elsewhere`, status))
      await using http = openClient(server.url, { allowRedirects: true })
      assert.equal((await http.post()).kind, 'answer')
      assert.deepEqual([other.asked[0]?.method, other.asked[0]?.url], ['POST', '/elsewhere'])
      assert.equal(other.asked[0]?.body, server.asked[0]?.body)
      assert.deepEqual(http.codes(), [
        'HTTP_CLIENT_REQUEST',
        'HTTP_CLIENT_RESPONSE',
        'HTTP_CLIENT_REDIRECT',
        'HTTP_CLIENT_REQUEST',
        'HTTP_CLIENT_RESPONSE',
      ])
    })
  }

  for (const status of [301, 302, 303]) {
    test(`${status} makes it a GET without a body, with the location relative to the first URL`, async () => {
      await using server = await startWebhook((asked, response) => {
        if (asked.method === 'GET') response.end('{}')
        else response.writeHead(status, { location: '../there' }).end()
      })
      await using http = openClient(`${server.url}/a/b`, { allowRedirects: true })
      assert.equal((await http.post()).kind, 'answer')
      assert.deepEqual([server.asked[1]?.method, server.asked[1]?.url, server.asked[1]?.body], ['GET', '/a/there', ''])
    })
  }

  test('the eleventh redirect is not followed', async () => {
    await using server = await startWebhook(to('/again'))
    await using http = openClient(server.url, { allowRedirects: true })
    const reply = await http.post()
    assert.deepEqual([codeOf(reply), againOf(reply)], ['HTTP_CLIENT_CONNECTION_FAILED', 'no'])
    assert.equal(server.asked.length, 11)
  })

  test('a redirect to what is no URL of HTTP cannot be made a request of', async () => {
    for (const location of ['http://[nowhere', 'file:///etc/passwd', 'http://127.0.0.1:1/%zz']) {
      await using server = await startWebhook(to(location))
      await using http = openClient(server.url, { allowRedirects: true })
      assert.equal(codeOf(await http.post()), 'HTTP_CLIENT_ENCODE_FAILED')
    }
  })

  test('a URL that was never checked, and a body that is no JSON, are HTTP_CLIENT_ENCODE_FAILED', async () => {
    await using http = openClient('http://127.0.0.1:1/%zz')
    assert.equal(codeOf(await http.post()), 'HTTP_CLIENT_ENCODE_FAILED')
    await using client = createHttpClient(settingsOf('http://127.0.0.1:1'))
    const { log } = testLog()
    const { signal } = new AbortController()
    const call = { path: '', body: { big: 1n }, decode: String, log, signal, limitMs: 1000 }
    assert.equal(codeOf(await client.post(call)), 'HTTP_CLIENT_ENCODE_FAILED')
  })
})

describe('TLS', () => {
  let authority: Authority
  let here: Certificate
  before(() => {
    authority = createAuthority()
    here = authority.issue('here', 'IP:127.0.0.1')
  })
  after(() => authority[Symbol.dispose]())

  test('a server whose CA is configured is trusted, and one of an unknown CA is not asked again', async () => {
    await using server = await startWebhook(always({}), here)
    await using trusting = openClient(server.url, { cacert: authority.ca.cert })
    assert.equal((await trusting.post()).kind, 'answer')
    await using strict = openClient(server.url)
    const reply = await strict.post()
    assert.deepEqual([codeOf(reply), againOf(reply)], ['HTTP_CLIENT_CONNECTION_FAILED', 'no'])
    assert.equal(server.asked.length, 1)
  })

  test('a configured CA replaces those of the system, and a certificate for another name or out of date is refused', async () => {
    const elsewhere = authority.issue('elsewhere', 'DNS:elsewhere.example')
    const expired = authority.issue('expired', 'IP:127.0.0.1', { days: -1 })
    using other = createAuthority()
    for (const [certificate, cacert] of [
      [elsewhere, authority.ca.cert],
      [expired, authority.ca.cert],
      [here, other.ca.cert],
    ] as const) {
      await using server = await startWebhook(always({}), certificate)
      await using http = openClient(server.url, { cacert })
      const reply = await http.post()
      assert.deepEqual([codeOf(reply), againOf(reply)], ['HTTP_CLIENT_CONNECTION_FAILED', 'no'])
    }
  })

  test('a server that asks for a client certificate gets ours, and refuses us without', async () => {
    const own = authority.issue('containerssh', 'DNS:containerssh')
    const tls = { ...here, ca: authority.ca.cert, requestCert: true, rejectUnauthorized: true }
    await using server = await startWebhook(always({}), tls)
    const cacert = authority.ca.cert
    await using known = openClient(server.url, { cacert, cert: own.cert, key: own.key })
    assert.equal((await known.post()).kind, 'answer')
    await using unknown = openClient(server.url, { cacert })
    assert.equal(codeOf(await unknown.post()), 'HTTP_CLIENT_CONNECTION_FAILED')
  })

  test('TLS 1.2 needs to be allowed; suites and curves are those configured', async () => {
    const cacert = authority.ca.cert
    await using old = await startWebhook(always({}), { ...here, maxVersion: 'TLSv1.2' })
    await using modern = openClient(old.url, { cacert })
    assert.equal(codeOf(await modern.post()), 'HTTP_CLIENT_CONNECTION_FAILED')
    const cipher = ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384']
    await using tolerant = openClient(old.url, { cacert, tlsVersion: '1.2', cipher, curves: ['prime256v1'] })
    assert.equal((await tolerant.post()).kind, 'answer')
    await using elsewhere = await startWebhook(always({}), { ...here, ecdhCurve: 'X25519' })
    await using choosy = openClient(elsewhere.url, { cacert, curves: ['secp384r1'] })
    assert.equal(codeOf(await choosy.post()), 'HTTP_CLIENT_CONNECTION_FAILED')
  })

  test('a redirect from https to http is not followed', async () => {
    await using plain = await startWebhook(always({}))
    await using server = await startWebhook((_asked, response) => {
      response.writeHead(307, { location: plain.url }).end()
    }, here)
    await using http = openClient(server.url, { cacert: authority.ca.cert, allowRedirects: true })
    const reply = await http.post()
    assert.deepEqual([codeOf(reply), againOf(reply)], ['HTTP_CLIENT_CONNECTION_FAILED', 'no'])
    assert.equal(plain.asked.length, 0)
  })
})
