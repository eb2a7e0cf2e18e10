/** The whole SSH server, in this process, against the stock OpenSSH client. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashPassword } from '../../../src/shared/password.ts'
import { until } from '../../rigs/daemon.ts'
import { patternByte, patternHash } from '../../rigs/room.ts'
import { anyForwarding, startServer, type TestServer } from '../../rigs/server.ts'
import { anyHost, finish } from '../../rigs/ssh.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const mebibytes = 64 * 1024 * 1024

describe('the OpenSSH client', () => {
  let server: TestServer
  before(async () => {
    server = await startServer({
      ssh: { banner: 'Welcome to the test.\n' },
      security: anyForwarding,
    })
  })
  after(() => server[Symbol.asyncDispose]())
  const run = (command: string, input?: string | Uint8Array, options: readonly string[] = []) =>
    server.client.run([command], {
      options,
      ...(input === undefined ? {} : { input: typeof input === 'string' ? Buffer.from(input) : input }),
    })

  test('gets the exit status of its program', async () => {
    for (const code of [0, 1, 42, 255]) assert.equal((await run(`exit ${code}`)).code, code)
  })

  test('gets back what it sends, and the end of its input reaches the program', async () => {
    const echoed = await run('cat', 'foo\n')
    assert.equal(echoed.stdout.toString(), 'foo\n')
    assert.equal(echoed.code, 0)
    assert.equal((await run('cat')).stdout.length, 0)
  })

  test('loses nothing that it sends before the program runs', async () => {
    const input = Buffer.alloc(300_000, 'early ')
    const result = await run('slow cat', input)
    assert.equal(result.code, 0)
    assert.equal(sha256(result.stdout), sha256(input))
    assert.equal((await run('slow exit 7')).code, 7)
  })

  test('gets stdout and stderr apart', async () => {
    const result = await run('both text')
    assert.equal(result.stdout.toString(), 'text')
    assert.equal(result.stderr, 'TEXT')
  })

  test('learns that a program was ended by a signal', async () => {
    const result = await run('signal SEGV', undefined, ['-v'])
    assert.equal(result.code, 255)
    assert.match(result.stderr, /exit-signal/)
    await server.line('SSH_EXIT_SIGNAL', (record) => record.labels['signal'] === 'SEGV')
  })

  test('is told when a program cannot be started', async () => {
    const result = await run('fail')
    assert.equal(result.code, 255)
    assert.match(result.stderr, /exec request failed/)
  })

  test('starts a subsystem', async () => {
    const result = await server.client.run(['cat'], { options: ['-s'], input: Buffer.from('through it') })
    assert.equal(result.stdout.toString(), 'through it')
    const unknown = await server.client.run(['sftp'], { options: ['-s'] })
    assert.match(unknown.stderr, /subsystem request failed/)
  })

  test('shows the banner', async () => {
    const result = await run('exit 0', undefined, ['-v'])
    assert.match(result.stderr, /Welcome to the test\.\r?\n/)
  })

  test('gets 64 MiB unharmed each way', async () => {
    const down = await run(`source ${mebibytes}`)
    assert.equal(sha256(down.stdout), patternHash(mebibytes))
    const input = Buffer.alloc(mebibytes)
    for (let at = 0; at < input.length; at += 1 << 18) {
      if (at === 0) for (let i = 0; i < 1 << 18; i++) input[i] = patternByte(i)
      else input.copy(input, at, 0, 1 << 18)
    }
    assert.equal((await run('sink', input)).stdout.toString(), patternHash(mebibytes))
    const both = await run('cat', input)
    assert.equal(sha256(both.stdout), patternHash(mebibytes))
  })

  test('keeps data whole while keys are exchanged again', async () => {
    const size = 16 * 1024 * 1024
    const down = await run(`source ${size}`, undefined, ['-o', 'RekeyLimit=1M'])
    assert.equal(sha256(down.stdout), patternHash(size))
  })

  test('gets ten thousand lines in order', async () => {
    const { stdout } = await run('lines 10000')
    assert.equal(stdout.toString(), Array.from({ length: 10_000 }, (_, i) => `line ${i}\n`).join(''))
  })

  test('runs twenty programs at once over one connection', async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'containerssh-mux-'))
    const mux = ['-o', `ControlPath=${folder}/s`]
    const master = server.client.start(['wait'], [...mux, '-o', 'ControlMaster=yes'])
    context.after(() => master.kill())
    await once(master.stdout, 'data')
    const connections = server.intake.size
    const all = Array.from({ length: 20 }, (_, i) => run('cat', `${i} `.repeat(20_000), mux))
    for (const [i, result] of (await Promise.all(all)).entries()) {
      assert.equal(result.stdout.toString(), `${i} `.repeat(20_000))
      assert.equal(result.code, 0)
    }
    assert.equal(server.intake.size, connections)
    master.kill()
    await once(master, 'exit')
    rmSync(folder, { recursive: true })
    await until('everything is gone', () => server.intake.size === 0 && server.room.inside() === 0)
    assert.equal(server.room.running.size, 0)
  })

  test('that is killed leaves nothing behind', async () => {
    const ssh = server.client.start(['wait'])
    await once(ssh.stdout, 'data')
    assert.ok(server.room.inside() > 0)
    ssh.kill('SIGKILL')
    await until('the room is left', () => server.room.inside() === 0 && server.room.running.size === 0)
  })

  test('has a terminal, and its size is passed on', async () => {
    const rig = resolve(import.meta.dirname, '../../rigs/terminal.py')
    const ssh = ['ssh', ...server.client.options, '-tt', '-p', String(server.port), 'alice@127.0.0.1', 'size']
    const { stdout } = await finish(spawn('python3', [rig, ...ssh], { stdio: ['pipe', 'pipe', 'pipe'] }))
    assert.match(stdout.toString(), /^100x30\r\n91x17\r\n/)
  })

  test('reaches a TCP service through the session, both directions ending on their own', async () => {
    const service = createServer({ allowHalfOpen: true }, (socket) => {
      const parts: Buffer[] = []
      socket.on('data', (part) => parts.push(part))
      socket.on('end', () => socket.end(`got ${Buffer.concat(parts).length}`))
    }).listen(0, '127.0.0.1')
    await once(service, 'listening')
    const address = service.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const ssh = server.client.start([], ['-W', `127.0.0.1:${port}`])
    const { stdout } = await finish(ssh, Buffer.alloc(3_000_000))
    assert.equal(stdout.toString(), 'got 3000000')
    const refused = await finish(server.client.start([], ['-v', '-W', `192.0.2.1:${port}`]))
    assert.match(refused.stderr, /administratively prohibited/)
    service.close()
  })

  test('whom the backend turns away reads why', async () => {
    const ssh = server.client.start(['exit', '0'], ['-l', 'nobody'])
    const { code, stderr } = await finish(ssh)
    assert.equal(code, 255)
    assert.match(stderr, /a room for nobody is not supported/)
    await server.line('SSH_BACKEND_REJECTED_HANDSHAKE')
    await server.line('SSH_HANDSHAKE_FAILED')
  })

  test('with another key is not let in', async () => {
    const result = await server.client.run(['exit', '0'], { options: ['-l', 'mallory'] })
    assert.equal(result.code, 255)
    assert.match(result.stderr, /Permission denied \(publickey\)/)
    await server.line('SSH_AUTH_FAILED', (record) => record.labels['username'] === 'mallory')
  })
})

test('a password lets its user in, and keepalives are answered', async (context) => {
  const passwordHash = await hashPassword(Buffer.from('correct horse'))
  await using server = await startServer({
    users: [{ name: 'bob', passwordHash, authorizedKeys: [] }],
    ssh: { clientAliveInterval: 1000, clientAliveCountMax: 1 },
  })
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-askpass-'))
  const askpass = join(folder, 'askpass')
  writeFileSync(askpass, '#!/bin/sh\necho "$TEST_PASSWORD"\n', { mode: 0o700 })
  const login = (password: string) =>
    finish(
      spawn(
        'ssh',
        [
          ...anyHost,
          ...['-o', 'PubkeyAuthentication=no', '-o', 'NumberOfPasswordPrompts=1', '-p', String(server.port)],
          ...['bob@127.0.0.1', 'sink'],
        ],
        {
          stdio: ['pipe', 'pipe', 'pipe'],
          env: { ...process.env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', TEST_PASSWORD: password },
        },
      ),
      Buffer.from('x'),
    )
  assert.equal((await login('correct horse')).stdout.toString(), sha256(Buffer.from('x')))
  assert.equal((await login('wrong')).code, 255)
  rmSync(folder, { recursive: true })
  // Longer than the interval: a client that answers stays.
  const idle = server.client.start(['wait'])
  context.after(() => idle.kill('SIGKILL'))
  await once(idle.stdout, 'data')
  await sleep(2500)
  assert.equal(idle.exitCode, null)
  idle.kill('SIGSTOP')
  await server.line('SSH_KEEPALIVE_NORESP')
  await until('the silent client is gone', () => server.intake.size === 0)
  idle.kill('SIGKILL')
})

test('a server that stops asks programs to end and tells the client', async () => {
  await using server = await startServer()
  const ssh = server.client.start(['wait'])
  const finished = finish(ssh)
  await until('the program runs', () => server.room.running.size === 1)
  await server.intake.drain(AbortSignal.timeout(10_000))
  const { stdout, code } = await finished
  assert.equal(stdout.toString(), 'ready\nTERM\n')
  assert.equal(code, 255)
  assert.equal(server.room.inside(), 0)
})
