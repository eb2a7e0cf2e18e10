/** The daemon, real containers and the OpenSSH client: how sessions come to their end. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { type Login, login, uniqueUser } from '../rigs/login.ts'
import { client, finish, makeKey, type SshProcess } from '../rigs/ssh.ts'

/** A shell at a terminal whose input stays open; resolves when its prompt is there. */
async function shell(context: TestContext, host: Login, options: readonly string[] = []) {
  const ssh: SshProcess = host.client.start([], ['-tt', ...options])
  context.after(() => ssh.kill('SIGKILL'))
  let [out, err] = ['', '']
  ssh.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  ssh.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const ended = once(ssh, 'close').then(([code]) => code as number)
  await until('a prompt', () => /[#$] /.test(out))
  return { ssh, ended, err: () => err, out: () => out }
}

test('an idle user is warned, comes back, is idle again, and reads why the session ended', async (context) => {
  await using host = await login({
    config: { limits: { idleTimeout: '6s', warningBefore: '3s', grace: '1s', warningText: 'Idle! {time} left.' } },
  })
  const { ssh, ended, err } = await shell(context, host)
  await until('the warning', () => err().includes('\r\nIdle! 3 seconds left.\r\n'))
  // A shell that obeys would end the session, and its client would not wait for our words.
  ssh.stdin.write("trap '' HUP\n")
  await until('that it is taken back', () => err().includes('\r\nYou are back: your session goes on.\r\n'))
  assert.equal(await ended, 255)
  assert.equal(err().match(/Idle!/g)?.length, 2)
  assert.match(err(), /Received disconnect from .*:11: the session was idle for 6 seconds/)
  const line = await host.daemon.line('SSH_IDLE_TIMEOUT')
  assert.equal(line.details['username'], host.user)
  await host.noContainers()
})

test('a user has the session time-out that is set for him, others have none', async () => {
  const key = makeKey()
  const [short, long] = [uniqueUser(), uniqueUser()]
  await using host = await login({
    key,
    config: {
      auth: {
        users: [
          { name: short, authorizedKeys: [key.line], limits: { sessionTimeout: '2s', grace: '1s' } },
          { name: long, authorizedKeys: [key.line] },
        ],
      },
    },
  })
  using _ = key
  const other = client(host.daemon.port, key, long).start(['cat'])
  const others = finish(other, undefined)
  const command = client(host.daemon.port, key, short).start(["trap '' HUP; echo begun; sleep 60"])
  const { code, stdout, stderr } = await finish(command)
  assert.notEqual(code, 0)
  assert.equal(stdout.toString(), 'begun\n')
  assert.match(stderr, /sessions last 2 seconds at most/)
  const line = await host.daemon.line('SSH_SESSION_TIMEOUT')
  assert.equal(line.details['username'], short)
  assert.equal((await others).code, 0)
  assert.equal(host.daemon.lines.filter(({ code }) => code === 'SSH_SESSION_TIMEOUT').length, 1)
})

test('a client that is stopped is found, and its container goes', async (context) => {
  await using host = await login({ ssh: { clientAliveInterval: '1s', clientAliveCountMax: 2 } })
  const { ssh } = await shell(context, host)
  assert.equal((await host.containers()).length, 1)
  ssh.kill('SIGSTOP')
  const missed = (count: number) =>
    host.daemon.line('SSH_KEEPALIVE_NORESP', ({ details }) => details['missed'] === count)
  await Promise.all([missed(1), missed(2)])
  await host.daemon.line('SSH_DISCONNECTED', ({ details }) => details['reason'] === 'the client does not answer')
  await host.noContainers()
})

test('SIGTERM tells terminals how long they have, ends who has not logged in, and does not wait for ever', async (context) => {
  await using host = await login({ config: { shutdownTimeout: '3s', workers: 1 } })
  const { ssh, ended, err } = await shell(context, host)
  ssh.stdin.write("trap '' TERM HUP\n")
  const early = connect(host.daemon.port, '127.0.0.1')
  early.on('error', () => undefined)
  const closed = once(early, 'close')
  await once(early, 'data')
  host.daemon.kill('SIGTERM')
  assert.equal(await ended, 255)
  assert.match(err(), /\r\nThe server is shutting down: this connection ends within 3 seconds\.\r\n/)
  assert.match(err(), /Received disconnect from .*:11: server is shutting down/)
  await closed
  assert.deepEqual(await host.daemon.exited, { code: 0, signal: null })
  await host.noContainers()
})

test('a client that is stopped does not keep a server from stopping', async (context) => {
  await using host = await login({ config: { shutdownTimeout: '1s', workers: 1 } })
  const { ssh } = await shell(context, host)
  ssh.stdin.write("trap '' TERM HUP; yes\n")
  await until('much output', async () => (await host.containers()).length === 1)
  ssh.kill('SIGSTOP')
  host.daemon.kill('SIGTERM')
  assert.deepEqual(await host.daemon.exited, { code: 0, signal: null })
  await host.noContainers()
})
