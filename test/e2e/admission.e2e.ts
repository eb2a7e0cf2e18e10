import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { login } from '../rigs/login.ts'
import { rawClient } from '../rigs/raw.ts'

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

test('a flood from one address is refused in part, in a few lines of the log; others log in; all of it is let go', async () => {
  await using host = await login({ config: { workers: 1, log: { level: 'info' } } })
  const { pid, port, lines } = host.daemon
  assert.equal((await host.client.run(['true'])).code, 0)
  const descriptors = (): number => readdirSync(`/proc/${pid}/fd`).length
  const before = descriptors()
  const flood = Array.from({ length: 200 }, () => rawClient(port))
  const answers = await Promise.all(flood.map((one) => one.receives(/\r\n/)))
  const refused = answers.filter((answer) => answer.startsWith('Not allowed at this time: '))
  assert.equal(refused.length, 100)
  assert.ok(refused.every((answer) => answer.endsWith('(SSH_HANDSHAKE_LIMIT)\r\n')))
  const { code } = await host.client.run(['exit 6'], { options: ['-b', '127.0.0.2'] })
  assert.equal(code, 6)
  for (const { socket } of flood) socket.destroy()
  await until('the end of all', () => descriptors() <= before)
  await until('a login', async () => (await host.client.run(['exit 7'])).code === 7)
  const single = (): number => lines.filter((line) => line.code === 'SSH_HANDSHAKE_LIMIT').length
  const summed = (): number =>
    lines.reduce(
      (sum, { code, details }) => (code === 'SSH_REFUSALS_SUPPRESSED' ? sum + Number(details['count']) : sum),
      0,
    )
  await until('the sum', () => single() + summed() >= 100)
  assert.ok(single() < 50, `${single()} records`)
})

test('with random early drop some of a flood are served before the limit is reached', async () => {
  await using host = await login({ ssh: { maxStartups: 100, maxStartupsStart: 10, maxStartupsRate: 50 } })
  const flood = Array.from({ length: 80 }, () => rawClient(host.daemon.port))
  const answers = await Promise.all(flood.map((one) => one.receives(/\r\n/)))
  const served = answers.filter((answer) => answer.startsWith('SSH-')).length
  // 10 are certain; that all or none of the other 70 are dropped happens once in 2^70 runs.
  assert.ok(served > 10 && served < 80, `${served} served`)
  assert.ok(answers.some((answer) => answer.endsWith('(SSH_EARLY_DROP)\r\n')))
  await host.daemon.line('SSH_EARLY_DROP')
  for (const { socket } of flood) socket.destroy()
})

const penalised = { ssh: { penalties: { enable: true, min: '1s', noAuth: '2s', authFail: '2s', max: '2s' } } }

test('an address whose logins fail is refused for a while, then welcome; other addresses do not notice', async () => {
  await using host = await login(penalised)
  await host.client.run(['true'], { options: ['-l', 'nobody-knows-me'] })
  const begins = await host.daemon.line('SSH_PENALTY_BEGINS')
  assert.equal(begins.details['source'], '127.0.0.1')
  assert.match(begins.message, /failed logins/)
  const line = await rawClient(host.daemon.port).ended
  assert.equal(line, 'Not allowed at this time: penalty for failed logins (SSH_PENALTY)\r\n')
  const refused = await host.daemon.line('SSH_PENALTY')
  assert.equal(refused.details['remoteAddr'], '127.0.0.1')
  assert.equal((await host.client.run(['exit 5'], { options: ['-b', '127.0.0.2'] })).code, 5)
  await until('the end of the penalty', async () => (await host.client.run(['exit 6'])).code === 6)
})

test('a scanner that connects and leaves gets a penalty; so does a client that never logs in', async () => {
  await using host = await login({ ssh: { ...penalised.ssh, loginGrace: '1s' } })
  const scanner = rawClient(host.daemon.port, '127.0.0.3')
  await scanner.receives(/\r\n/)
  scanner.socket.destroy()
  await host.daemon.line('SSH_PENALTY_BEGINS', ({ message }) => /127\.0\.0\.3 .*without a login/.test(message))
  await rawClient(host.daemon.port, '127.0.0.4').ended
  await host.daemon.line('SSH_PENALTY_BEGINS', ({ message }) => /127\.0\.0\.4 .*took too long/.test(message))
})

test('users who log in, whatever the exit status of their program, are never penalised', async () => {
  await using host = await login(penalised)
  for (let status = 1; status < 5; status++) assert.equal((await host.client.run([`exit ${status}`])).code, status)
  assert.ok(!host.daemon.lines.some(({ code }) => code.startsWith('SSH_PENALTY')))
})

test('that the server stops while they log in is no offence of clients', async () => {
  await using host = await login(penalised)
  const idle = rawClient(host.daemon.port)
  await idle.receives(/\r\n/)
  host.daemon.kill('SIGTERM')
  await idle.ended
  await host.daemon.exited
  assert.ok(!host.daemon.lines.some(({ code }) => code.startsWith('SSH_PENALTY')))
})
