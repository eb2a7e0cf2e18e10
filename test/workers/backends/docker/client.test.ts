import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ConnectionSettings, parseAddress } from '../../../../src/workers/backends/docker/address.ts'
import { commonVersion, connect } from '../../../../src/workers/backends/docker/client.ts'
import { pullName } from '../../../../src/workers/backends/docker/pull.ts'

const at = (host: string, tls = ''): ConnectionSettings => ({ host, cacert: tls, cert: tls, key: tls })

test('an engine may be named by socket, by URL and by host and port', () => {
  const plain = { kind: 'tcp', tls: undefined }
  assert.deepEqual(parseAddress(at('unix:///run/x.sock')), {
    kind: 'unix',
    host: 'unix:///run/x.sock',
    path: '/run/x.sock',
  })
  for (const host of ['tcp://engine:80', 'http://engine:80', 'engine:80']) {
    assert.deepEqual(parseAddress(at(host)), { ...plain, host, hostname: 'engine', port: 80 })
  }
  assert.deepEqual(parseAddress(at('tcp://[::1]:9')), { ...plain, host: 'tcp://[::1]:9', hostname: '::1', port: 9 })
  assert.equal(parseAddress(at('tcp://engine')).kind === 'tcp' && parseAddress(at('tcp://engine')).host, 'tcp://engine')
})

test('TLS is used with all three texts, or with https', () => {
  const tls = (settings: ConnectionSettings): unknown => {
    const address = parseAddress(settings)
    return address.kind === 'tcp' ? [address.port, address.tls] : undefined
  }
  assert.deepEqual(tls(at('tcp://e', 'pem')), [2376, { ca: 'pem', cert: 'pem', key: 'pem' }])
  assert.deepEqual(tls({ ...at('tcp://e', 'pem'), key: '' }), [2375, undefined])
  assert.deepEqual(tls(at('https://e:1')), [1, {}])
})

test('what cannot be an engine is refused with its name', () => {
  for (const host of [
    'foo',
    'unix://x',
    'ftp://foo:1',
    'tcp://a b',
    'tcp://e:1/path',
    'npipe:////./pipe/docker_engine',
  ]) {
    assert.throws(
      () => parseAddress(at(host)),
      (error: Error) => error.message.includes(host),
      host,
    )
  }
})

test('the API version is the newest that both sides speak', () => {
  assert.equal(commonVersion({ ApiVersion: '1.41', MinAPIVersion: '1.12' }), '1.41')
  assert.equal(commonVersion({ ApiVersion: '1.52', MinAPIVersion: '1.44' }), '1.47')
  assert.equal(commonVersion({ ApiVersion: '1.60', MinAPIVersion: '1.50' }), '1.50')
  assert.equal(commonVersion({ ApiVersion: '1.9', MinAPIVersion: '1.9' }), '1.9')
})

test('DOCKER_HOST and its kin are never looked at', () => {
  process.env['DOCKER_HOST'] = 'this is not a URL'
  process.env['DOCKER_CERT_PATH'] = '/nowhere'
  try {
    const client = connect(at('unix:///run/x.sock'), 1000)
    assert.equal(client.host, 'unix:///run/x.sock')
    client.close()
    assert.equal(process.env['DOCKER_HOST'], 'this is not a URL')
  } finally {
    delete process.env['DOCKER_HOST']
    delete process.env['DOCKER_CERT_PATH']
  }
})

test('image names are completed for a pull as the engine would', () => {
  assert.deepEqual(pullName('busybox'), { fromImage: 'docker.io/library/busybox', tag: 'latest' })
  assert.deepEqual(pullName('a/b:1'), { fromImage: 'docker.io/a/b', tag: '1' })
  assert.deepEqual(pullName('localhost:5000/b'), { fromImage: 'localhost:5000/b', tag: 'latest' })
  assert.deepEqual(pullName('r.example/b@sha256:ab'), { fromImage: 'r.example/b@sha256:ab' })
})
