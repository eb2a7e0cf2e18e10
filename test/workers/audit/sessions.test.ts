/** What is recorded of whole connections of the OpenSSH client: `test/golden/sessions`, written by UPDATE_GOLDENS=1. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { resolve } from 'node:path'
import { type TestContext, test } from 'node:test'
import { hashPassword } from '../../../src/shared/password.ts'
import { byPassword, ssh } from '../../rigs/askpass.ts'
import { everything, normalized } from '../../rigs/audit.ts'
import { until } from '../../rigs/daemon.ts'
import { anyForwarding, type ServerOptions, startServer, type TestServer } from '../../rigs/server.ts'
import { answering, converse, folder, freePort, startService } from '../../rigs/services.ts'
import { finish } from '../../rigs/ssh.ts'
import { always, startWebhook } from '../../rigs/webhook.ts'

const recorded = (options: ServerOptions = {}): Promise<TestServer> =>
  startServer({ audit: { intercept: everything }, security: anyForwarding, ...options })
const passwordHash = await hashPassword(Buffer.from('correct horse'))
const users = [{ name: 'bob', passwordHash, authorizedKeys: [] }]

async function golden(server: TestServer, name: string, index = 0): Promise<void> {
  const text = normalized(await server.archive.ended(index))
  const path = resolve(import.meta.dirname, '../../golden/sessions', `${name}.txt`)
  if (process.env['UPDATE_GOLDENS'] === '1') writeFileSync(path, text)
  assert.equal(text, readFileSync(path, 'utf8'))
}

test('a command with output on both streams, and one with input', async () => {
  await using server = await recorded()
  await server.client.run(['both', 'hello'])
  await golden(server, 'exec')
  await server.client.run(['cat'], { input: Buffer.from('hello\n'), options: ['-o', 'SetEnv=GREETING=hello'] })
  await golden(server, 'exec-input', 1)
})

test('programs that end by a signal, do not start, and are asked for in vain', async () => {
  await using server = await recorded()
  await server.client.run(['signal', 'SEGV'])
  await golden(server, 'exit-signal')
  await server.client.run(['fail'])
  await golden(server, 'exec-refused', 1)
})

test('a terminal whose window changes its size', async () => {
  await using server = await recorded()
  const rig = resolve(import.meta.dirname, '../../rigs/terminal.py')
  const { options, port } = server.client
  const args = [rig, 'ssh', ...options, '-tt', '-p', String(port), 'alice@127.0.0.1', 'size']
  await finish(spawn('python3', args, { stdio: ['pipe', 'pipe', 'pipe'] }))
  await golden(server, 'terminal')
})

test('a shell', async () => {
  await using server = await recorded()
  await server.client.run([], { input: Buffer.from('hello\n') })
  await golden(server, 'shell')
})

test('a subsystem', async () => {
  await using server = await recorded()
  await server.client.run(['cat'], { input: Buffer.from('packets'), options: ['-s'] })
  await golden(server, 'subsystem')
})

test('passwords: a wrong one, and the right one after a key that nobody knows', async () => {
  await using server = await recorded({ users })
  using place = folder()
  const here = { port: server.port, folder: place.path('.').replace(/\/\.$/, '') }
  await ssh(here, 'bob', { assword: 'wrong' }, [...byPassword, '-o', 'PubkeyAuthentication=no'], 'exit 0')
  await golden(server, 'password-wrong')
  const keyFirst = [
    '-i',
    server.key.file,
    '-o',
    'IdentitiesOnly=yes',
    '-o',
    'PreferredAuthentications=publickey,password',
  ]
  await ssh(here, 'bob', { assword: 'correct horse' }, keyFirst, 'exit 0')
  await golden(server, 'key-then-password', 1)
})

test('passwords are not recorded unless they are to be', async () => {
  await using server = await recorded({ users, audit: { intercept: { ...everything, passwords: false } } })
  using place = folder()
  const here = { port: server.port, folder: place.path('.').replace(/\/\.$/, '') }
  await ssh(here, 'bob', { assword: 'wrong' }, [...byPassword, '-o', 'PubkeyAuthentication=no'], 'exit 0')
  await golden(server, 'password-unrecorded')
  assert.ok(!Buffer.concat(server.archive.logs[0]?.batches ?? []).includes('wrong'))
})

test('questions and answers', async () => {
  await using webhook = await startWebhook((asked, response, request) => {
    const { answersBase64 } = JSON.parse(asked.body)
    const isRight = answersBase64?.[0] === Buffer.from('42').toString('base64')
    const challenge = { instruction: 'Look at your token.', prompts: [{ text: 'Code: ', echo: true }] }
    always(answersBase64 === undefined ? { challenge } : { success: isRight })(asked, response, request)
  })
  const keyboardInteractive = { method: 'webhook', webhook: { url: webhook.url, authTimeout: 2000 } }
  const { schema } = await import('../../../src/shared/config/schema.ts')
  const auth = { keyboardInteractive: schema.parse({ auth: { keyboardInteractive } }).auth.keyboardInteractive }
  await using server = await recorded({ auth })
  using place = folder()
  const here = { port: server.port, folder: place.path('.').replace(/\/\.$/, '') }
  const options = ['-o', 'PreferredAuthentications=keyboard-interactive', '-o', 'NumberOfPasswordPrompts=1']
  await ssh(here, 'carol', { Code: '42' }, options, 'exit 0')
  await golden(server, 'questions')
  await ssh(here, 'carol', { Code: '41' }, options, 'exit 0')
  await golden(server, 'questions-wrong', 1)
  await webhook[Symbol.asyncDispose]()
  await ssh(here, 'carol', { Code: '42' }, options, 'exit 0')
  const [last] = (await server.archive.ended(2)).filter(({ type }) => type.startsWith('auth_'))
  assert.equal(last?.type, 'auth_keyboard_interactive_backend_error')
})

/** A client that only forwards, until the end of the test. */
function forward(context: TestContext, server: TestServer, ...options: readonly string[]) {
  const client = server.client.start([], ['-N', '-o', 'ExitOnForwardFailure=yes', ...options])
  context.after(() => client.kill('SIGKILL'))
  return client
}
const pong = () => startService(answering((said) => `${said.toString()} pong`))

test('ssh -L, to a port, to nobody, to a socket of the room, and where it is forbidden', async (context) => {
  await using server = await recorded()
  await using service = await pong()
  using sockets = folder()
  await using hidden = await startService(
    answering(() => 'from a socket'),
    sockets.path('socket'),
  )
  const targets = [`127.0.0.1:${service.at}`, '127.0.0.1:1', '192.0.2.7:80', String(hidden.at)]
  const ports = await Promise.all(targets.map(freePort))
  const client = forward(context, server, ...targets.flatMap((target, index) => ['-L', `${ports[index]}:${target}`]))
  await server.line('SSH_HANDSHAKE_SUCCESSFUL')
  const answers: string[] = []
  for (const port of ports) {
    const reached = await until('the port is open', () => converse(port, 'ping').catch(nothing))
    answers.push(reached.toString())
    await until('the channel is over', () => ends(server) === answers.length)
  }
  assert.deepEqual(answers, ['ping pong', '', '', 'from a socket'])
  client.kill()
  await golden(server, 'local-forwarding')
})
/** Of a connection that is dropped; `undefined`: nobody listens yet. */
const nothing = (error: Error & { readonly code?: string }): Buffer | undefined =>
  error.code === 'ECONNREFUSED' ? undefined : Buffer.alloc(0)
/** Channels that are over, or never came into being. */
const ends = ({ archive }: TestServer): number =>
  archive.logs.flatMap(archive.records).filter(({ type }) => type === 'close' || type === 'new_channel_failed').length

test('ssh -R', async (context) => {
  await using server = await recorded()
  await using service = await pong()
  const port = await freePort()
  const client = forward(context, server, '-R', `${port}:127.0.0.1:${service.at}`)
  await until('somebody listens', () => server.room.doors.size === 1)
  assert.equal((await converse(port, 'ping')).toString(), 'ping pong')
  client.kill()
  await golden(server, 'reverse-forwarding')
})

test('ssh -Y', async () => {
  await using server = await recorded()
  await using display = await startService((socket) => {
    socket.once('data', (bytes: Buffer) => socket.end(`${bytes.length} ${bytes.subarray(48).toString()}`))
  })
  const name = `127.0.0.1:${Number(display.at) - 6000}`
  const { options, port } = server.client
  const args = [...options, '-Y', '-p', String(port), 'alice@127.0.0.1', 'x11 draw']
  await finish(spawn('ssh', args, { env: { ...process.env, DISPLAY: name }, stdio: ['pipe', 'pipe', 'pipe'] }))
  await golden(server, 'x11')
})

test('a connection that is reset in the middle of a session', async () => {
  await using server = await recorded()
  const sockets: Socket[] = []
  await using between = await startService((socket) => {
    const onward = connect(server.port, '127.0.0.1')
    sockets.push(onward)
    onward.on('error', () => undefined)
    socket.pipe(onward).pipe(socket)
  })
  const client = spawn('ssh', [...server.client.options, '-p', String(between.at), 'alice@127.0.0.1', 'wait'])
  await once(client.stdout, 'data')
  sockets[0]?.resetAndDestroy()
  await golden(server, 'reset')
})

test('somebody who only looks whether the port is open, and somebody who speaks no SSH', async () => {
  await using server = await recorded()
  connect(server.port, '127.0.0.1').end()
  await golden(server, 'port-scan')
  connect(server.port, '127.0.0.1').end('GET / HTTP/1.1\r\n\r\n')
  await golden(server, 'no-ssh', 1)
})

test('a user for whom there is no room', async () => {
  await using server = await recorded()
  await server.client.run(['exit', '0'], { options: ['-l', 'nobody'] })
  await golden(server, 'no-room')
})

test('what the security layer refuses, and what runs in place of what the client asked for', async () => {
  await using server = await recorded({ security: { command: { mode: 'disable' }, tty: { mode: 'disable' } } })
  await server.client.run(['exit', '0'], { options: ['-tt'] })
  await golden(server, 'refused')
})
