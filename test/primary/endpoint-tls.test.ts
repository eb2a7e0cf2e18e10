/** HTTPS of the health check and the metrics, asked by clients with certificates that openssl made, and by `--healthcheck`. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import { stringify } from 'yaml'
import { healthService } from '../../src/primary/health.ts'
import { metricsService } from '../../src/primary/metrics.ts'
import { defaults } from '../../src/shared/config/schema.ts'
import { createLog, type LogRecord } from '../../src/shared/log.ts'
import { createAuthority } from '../rigs/certificates.ts'
import { cli } from '../rigs/daemon.ts'
import { until } from './rig.ts'

type Options = Partial<Pick<ReturnType<typeof defaults>['health'], 'cert' | 'key' | 'clientcacert' | 'tlsVersion'>>

async function start(section: 'health' | 'metrics', options: Options) {
  const records: LogRecord[] = []
  const log = createLog({ level: 'debug', write: (record) => void records.push(record) })
  const { health, metrics } = defaults()
  const own = { enable: true, listen: '127.0.0.1:0', ...options }
  const service =
    section === 'health'
      ? healthService({ ...health, ...own }, log, () => true)
      : metricsService({ ...metrics, ...own }, log, () => [])
  const stop = new AbortController()
  const running = Promise.withResolvers<void>()
  const ended = service.run({ stop: stop.signal, running: running.resolve })
  await Promise.race([running.promise, ended])
  return {
    service,
    records,
    url: String(records[0]?.labels['url']),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
    },
  }
}

interface ClientOptions {
  readonly ca: string
  readonly cert?: string
  readonly key?: string
  readonly maxVersion?: 'TLSv1.2'
}

/** Resolves to the status, rejects when there is no agreement on TLS. */
function ask(url: string, options: ClientOptions): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: new Agent(options), timeout: 20_000 }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    sent.on('error', reject).end()
  })
}

async function certificateOf(url: string, ca: string): Promise<PeerCertificate> {
  const { port } = new URL(url)
  const { promise, resolve, reject } = Promise.withResolvers<PeerCertificate>()
  const socket: TLSSocket = connect({ port: Number(port), host: '127.0.0.1', ca }, () => {
    resolve(socket.getPeerCertificate())
    socket.destroy()
  }).on('error', reject)
  return promise
}

test('with a certificate both endpoints speak HTTPS; a client that does not trust it, or is too old, is told of', async () => {
  using authority = createAuthority()
  const { certFile: cert, keyFile: key } = authority.issue('server', 'IP:127.0.0.1')
  for (const section of ['health', 'metrics'] as const) {
    await using endpoint = await start(section, { cert, key })
    assert.match(endpoint.url, /^https:\/\/127\.0\.0\.1:\d+\//)
    const { cert: ca } = authority.ca
    assert.equal(await ask(endpoint.url, { ca }), 200)
    assert.equal(typeof endpoint.service.descriptor, 'number', 'another process can take the socket over')
    using stranger = createAuthority()
    await assert.rejects(ask(endpoint.url, { ca: stranger.ca.cert }), /certificate/)
    await assert.rejects(ask(endpoint.url, { ca, maxVersion: 'TLSv1.2' }))
    await until('the record', () => endpoint.records.some(({ code }) => code === 'HTTP_SERVER_TLS_FAILED'))
    assert.equal(await ask(endpoint.url, { ca }), 200)
  }
})

test('TLS 1.2 is spoken where it is allowed', async () => {
  using authority = createAuthority()
  const { cert, key } = authority.issue('server', 'IP:127.0.0.1')
  await using endpoint = await start('metrics', { cert, key, tlsVersion: '1.2' })
  assert.equal(await ask(endpoint.url, { ca: authority.ca.cert, maxVersion: 'TLSv1.2' }), 200)
})

test('with clientcacert only clients with a certificate of that CA get an answer', async () => {
  using authority = createAuthority()
  using stranger = createAuthority()
  const server = authority.issue('server', 'IP:127.0.0.1')
  const client = authority.issue('monitor', 'DNS:monitor')
  const other = stranger.issue('monitor', 'DNS:monitor')
  const { cert: ca } = authority.ca
  await using endpoint = await start('metrics', { cert: server.cert, key: server.key, clientcacert: ca })
  assert.equal(await ask(endpoint.url, { ca, cert: client.cert, key: client.key }), 200)
  await assert.rejects(ask(endpoint.url, { ca }))
  await assert.rejects(ask(endpoint.url, { ca, cert: other.cert, key: other.key }))
})

test('certificates that are files are read again; one that cannot be used changes nothing', async () => {
  using authority = createAuthority()
  const [first, second] = [authority.issue('one', 'IP:127.0.0.1'), authority.issue('two', 'IP:127.0.0.1')]
  const [cert, key] = [join(authority.folder, 'live.crt'), join(authority.folder, 'live.key')]
  const put = (from: typeof first): void => {
    copyFileSync(from.certFile, cert)
    copyFileSync(from.keyFile, key)
  }
  put(first)
  await using endpoint = await start('health', { cert, key })
  const name = async (): Promise<unknown> => (await certificateOf(endpoint.url, authority.ca.cert)).subject.CN
  assert.equal(await name(), 'one')
  put(second)
  await endpoint.service.renew?.()
  assert.equal(await name(), 'two')
  writeFileSync(cert, 'half of a certificate')
  await endpoint.service.renew?.()
  assert.equal(await name(), 'two')
  const failure = endpoint.records.find(({ code }) => code === 'CORE_CONFIG_ERROR')
  assert.equal(failure?.labels['option'], 'health.cert')
  assert.equal(failure?.level, 'error')
})

test('--healthcheck shows its certificate to an endpoint that wants one, and trusts the CA that it is given', async () => {
  using authority = createAuthority()
  const server = authority.issue('server', 'IP:127.0.0.1')
  const client = authority.issue('monitor', 'DNS:monitor')
  const ca = join(authority.folder, 'ca.crt')
  await using endpoint = await start('health', { cert: server.certFile, key: server.keyFile, clientcacert: ca })
  const check = (options: object): Promise<{ readonly status: number; readonly codes: readonly string[] }> => {
    const config = join(authority.folder, 'config.yaml')
    const shown = { url: endpoint.url, timeout: '20s', ...options }
    writeFileSync(config, stringify({ log: { level: 'info' }, health: { enable: true, client: shown } }))
    return new Promise((resolve) => {
      execFile(process.execPath, [cli, '--healthcheck', '--config', config], (error, stdout) => {
        const lines = stdout.trim().split('\n')
        resolve({ status: error === null ? 0 : Number(error.code), codes: lines.map((line) => JSON.parse(line).code) })
      })
    })
  }
  const well = { cacert: ca, cert: client.certFile, key: client.keyFile }
  assert.deepEqual(await check(well), { status: 0, codes: ['CORE_HEALTH_CHECK_SUCCESSFUL'] })
  for (const wrong of [{ cacert: ca }, { cert: client.certFile, key: client.keyFile }]) {
    assert.deepEqual(await check(wrong), { status: 1, codes: ['HEALTH_REQUEST_FAILED', 'CORE_HEALTH_CHECK_FAILED'] })
  }
  assert.deepEqual(await check({ ...well, key: server.keyFile }), { status: 1, codes: ['CORE_CONFIG_ERROR'] })
})
