/** The OpenSSH client and the life of its connection: signs of life, time-outs, new keys, and a server that stops. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { until } from '../../rigs/daemon.ts'
import { type ServerOptions, startServer, type TestServer } from '../../rigs/server.ts'
import { finish, type SshProcess } from '../../rigs/ssh.ts'

const alive = { clientAliveInterval: 1000, clientAliveCountMax: 1 }

/** A client that does not outlive its test. */
function begin(context: TestContext, server: TestServer, command: string[], options: string[] = []): SshProcess {
  const ssh = server.client.start(command, options)
  context.after(() => ssh.kill('SIGKILL'))
  return ssh
}
const missed = ({ records }: TestServer): number => records.filter(({ code }) => code === 'SSH_KEEPALIVE_NORESP').length

test('a client that is stopped in the middle of a download, its windows closed, is found and cut', async (context) => {
  await using server = await startServer({ ssh: alive })
  const ssh = begin(context, server, ['source', '1000000000'])
  await once(ssh.stdout, 'data')
  ssh.kill('SIGSTOP')
  await server.line('SSH_KEEPALIVE_NORESP')
  await until('the client is gone', () => server.intake.size === 0)
  assert.equal(server.room.inside(), 0)
  assert.equal(missed(server), 1)
})

test('a client that is busy uploading is there, however late it answers', async (context) => {
  await using server = await startServer({ ssh: alive })
  const stopped = begin(context, server, ['wait'])
  await once(stopped.stdout, 'data')
  const ssh = begin(context, server, ['sink'])
  const hash = createHash('sha256')
  let busy = true
  const upload = async (): Promise<void> => {
    for (const piece = randomBytes(1 << 18); busy; ) {
      hash.update(piece)
      if (!ssh.stdin.write(piece)) await once(ssh.stdin, 'drain')
    }
    ssh.stdin.end()
  }
  const uploading = upload()
  await until('both programs run', () => server.room.running.size === 2)
  // As long as it takes to find another one that is not there.
  stopped.kill('SIGSTOP')
  await until('the stopped client is gone', () => server.intake.size === 1)
  busy = false
  const [[sum]] = await Promise.all([once(ssh.stdout, 'data'), uploading])
  assert.equal(String(sum), hash.digest('hex'))
  assert.equal(missed(server), 1)
})

test('bytes echo whole while both sides change the keys again and again', async () => {
  await using server = await startServer({ ssh: { rekeyBytes: 2 ** 20 } })
  const input = randomBytes(24 * 2 ** 20)
  for (const options of [[], ['-o', 'RekeyLimit=700K']]) {
    const { code, stdout } = await server.client.run(['cat'], { input, options })
    assert.equal(code, 0)
    assert.ok(stdout.equals(input))
  }
  const by = (initiator: string) =>
    server.records.filter(({ code, labels }) => code === 'SSH_REKEYED' && labels['initiator'] === initiator).length
  assert.ok(by('server') > 20, `${by('server')}`)
  assert.ok(by('client') > 5, `${by('client')}`)
})

test('new keys are a matter of packets and of time, too', async () => {
  for (const ssh of [{ rekeyPackets: 1000 }, { rekeyInterval: 50 }]) {
    await using server = await startServer({ ssh })
    const { stdout } = await server.client.run(['source', '40000000'])
    assert.equal(stdout.length, 40_000_000)
    await server.line('SSH_REKEYED')
  }
})

const idle = { idleTimeout: 1500, warningBefore: 500, grace: 200 }
async function terminal(context: TestContext, options: ServerOptions) {
  const server = await startServer(options)
  const ssh = begin(context, server, ['wait'], ['-tt'])
  // Its input stays open: the end of it would be one of the session.
  const stdout: Buffer[] = []
  ssh.stdout.on('data', (bytes: Buffer) => stdout.push(bytes))
  let stderr = ''
  ssh.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(ssh, 'close')
  return { server, ssh, ended, out: () => Buffer.concat(stdout).toString(), err: () => stderr }
}

test('an idle user reads a warning on stderr, then why the session ended', async (context) => {
  const { server, ended, out, err } = await terminal(context, { limits: idle })
  await using _ = server
  const [code] = await ended
  assert.equal(code, 255)
  assert.equal(out(), 'ready\nHUP\n')
  assert.match(err(), /\r\nYour session ends in 500ms: it has been idle for 1 second\.\r\n/)
  assert.match(err(), /Received disconnect from .*:11: the session was idle for 1\.5s/)
  await server.line('SSH_IDLE_TIMEOUT')
})

test('a program without a terminal gets nothing but its own bytes before the end', async () => {
  await using server = await startServer({ limits: { sessionTimeout: 1000, grace: 0 } })
  const { code, stdout, stderr } = await finish(server.client.start(['source', '1000000000']))
  assert.equal(code, 255)
  assert.ok(stdout.length > 0)
  assert.doesNotMatch(stderr, /ends in/)
  assert.match(stderr, /sessions last 1 second at most/)
  await server.line('SSH_SESSION_TIMEOUT')
})

test('a server that stops tells terminals how long they have, and everybody why', async (context) => {
  const { server, ended, out, err } = await terminal(context, {})
  await using _ = server
  await until('the program runs', () => server.room.running.size === 1)
  await server.intake.drain(AbortSignal.timeout(10_000), 10_000)
  await ended
  assert.equal(out(), 'ready\nTERM\n')
  assert.match(err(), /\r\nThe server is shutting down: this connection ends within 10 seconds\.\r\n/)
  assert.match(err(), /server is shutting down/)
})
