import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { login } from '../rigs/login.ts'

test('beyond the limit of unauthenticated connections per source a client is told so in one line, before any crypto', async () => {
  await using host = await login({ ssh: { maxStartupsPerSource: 3 } })
  const idle = Array.from({ length: 3 }, () => connect(host.daemon.port, '127.0.0.1'))
  await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('data', resolve))))
  const refused = await text(connect(host.daemon.port, '127.0.0.1'))
  assert.match(refused, /^[^\n]+\r?\n$/)
  assert.doesNotMatch(refused, /^SSH-/)
  for (const socket of idle) socket.destroy()
  await until('a login', async () => (await host.client.run(['exit 6'])).code === 6)
})

test('a client that never authenticates is cut after the login grace time', async () => {
  await using host = await login({ ssh: { loginGrace: '1s' } })
  const socket = connect(host.daemon.port, '127.0.0.1')
  assert.match(await text(socket), /^SSH-2\.0-/)
  await host.daemon.line('SSH_HANDSHAKE_FAILED')
})

test('six wrong keys end the connection', async () => {
  await using host = await login()
  const { code, stderr } = await host.client.run(['true'], { options: ['-l', 'nobody-knows-me'] })
  assert.equal(code, 255)
  assert.match(stderr, /Permission denied/)
  await host.daemon.line('SSH_AUTH_FAILED')
  await host.daemon.line('SSH_HANDSHAKE_FAILED')
})
