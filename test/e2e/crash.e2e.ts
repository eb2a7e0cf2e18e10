import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startDaemon, until } from '../rigs/daemon.ts'
import { configFor, containersOf, login, noContainersOf, uniqueUser } from '../rigs/login.ts'
import { client, finish, makeKey } from '../rigs/ssh.ts'

for (const mode of ['connection', 'session'] as const) {
  test(`a client that is killed leaves no container within 10 s (${mode} mode)`, async () => {
    await using host = await login({ mode })
    const ssh = host.client.start(['echo up; sleep 1000'])
    const ended = finish(ssh)
    await until('the program', async () => (await host.containers()).length === 1)
    ssh.kill('SIGKILL')
    await ended
    await host.noContainers(10_000)
  })

  test(`a client that is killed while its container starts leaves no container (${mode} mode)`, async () => {
    await using host = await login({ mode })
    for (const delayMs of [50, 150, 300, 500]) {
      const ssh = host.client.start(['sleep 1000'])
      const ended = finish(ssh)
      await new Promise((resolve) => setTimeout(resolve, delayMs))
      ssh.kill('SIGKILL')
      await ended
    }
    await host.noContainers(15_000)
  })
}

test('kill -9 of a worker loses only its connections, leaves no container, and the worker is replaced', async () => {
  await using host = await login({ config: { workers: 2 } })
  const sessions = Array.from({ length: 4 }, () => {
    const ssh = host.client.start(['echo up; cat; exit 11'])
    let up = false
    ssh.stdout.once('data', () => {
      up = true
    })
    return { ssh, up: () => up }
  })
  await until('four sessions', () => sessions.every((session) => session.up()), 30_000)
  const before = host.daemon.workers()
  assert.equal(before.length, 2)
  const victim = before[0]
  assert.ok(victim !== undefined)
  process.kill(victim, 'SIGKILL')
  await host.daemon.line('WORKER_EXITED')
  // The least-loaded worker takes the next connection: two sessions on each.
  await until(
    'the sessions of the dead worker to end',
    () => sessions.filter(({ ssh }) => ssh.exitCode !== null).length === 2,
  )
  await until('the containers of the dead worker to go', async () => (await host.containers()).length === 2, 20_000)
  const alive = sessions.filter(({ ssh }) => ssh.exitCode === null)
  for (const { ssh } of alive) assert.equal((await finish(ssh, Buffer.from('x'))).code, 11)
  await until('a new worker', () => host.daemon.workers().filter((pid) => pid !== victim).length === 2)
  await until('a login', async () => (await host.client.run(['exit 12'])).code === 12)
  await host.noContainers()
})

test('kill -9 of the daemon: the next start removes the containers it left', async () => {
  const user = uniqueUser()
  using key = makeKey()
  const config = await configFor(user, key)
  const first = await startDaemon(config)
  const ssh = client(first.port, key, user).start(['echo up; sleep 1000'])
  const ended = finish(ssh)
  await until('the container', async () => (await containersOf(user)).length === 1)
  await new Promise((resolve) => ssh.stdout.once('data', resolve))
  // The whole daemon at once, so that no worker has time to clean up.
  for (const pid of [first.pid, ...first.workers()]) process.kill(pid, 'SIGKILL')
  await first.exited
  await ended
  await using _second = await startDaemon(config)
  // Any daemon on this machine may be the one that removes it.
  await noContainersOf(user, 20_000)
})

test('kill -9 of the primary alone: its workers end by themselves and take their containers along', async () => {
  const user = uniqueUser()
  using key = makeKey()
  const daemon = await startDaemon(await configFor(user, key))
  const workers = daemon.workers()
  const ssh = client(daemon.port, key, user).start(['echo up; sleep 1000'])
  const ended = finish(ssh)
  await new Promise((resolve) => ssh.stdout.once('data', resolve))
  process.kill(daemon.pid, 'SIGKILL')
  await ended
  await noContainersOf(user, 20_000)
  const alive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  await until('the workers to end', () => workers.every((pid) => !alive(pid)), 20_000)
})

test('a second daemon on the same engine leaves the containers of a living one alone', async () => {
  await using host = await login()
  const ssh = host.client.start(['echo up; cat; exit 4'])
  await new Promise((resolve) => ssh.stdout.once('data', resolve))
  await using other = await login()
  await other.client.run(['true'])
  assert.equal((await host.containers()).length, 1)
  assert.equal((await finish(ssh, Buffer.from(''))).code, 4)
})

test('SIGTERM ends the programs, tells the clients, removes the containers and exits with 0', async () => {
  await using host = await login()
  const ssh = host.client.start(['trap "echo got-term; exit 0" TERM; echo up; while :; do sleep 0.1; done'])
  await new Promise((resolve) => ssh.stdout.once('data', resolve))
  const ended = finish(ssh)
  host.daemon.kill('SIGTERM')
  const { stdout } = await ended
  assert.match(stdout.toString(), /got-term/)
  assert.deepEqual(await host.daemon.exited, { code: 0, signal: null })
  await host.noContainers(1000)
  const codes = host.daemon.lines.map((line) => line.code)
  assert.ok(codes.includes('SERVICE_POOL_STOPPING'))
  assert.equal(codes.at(-1), 'SERVICE_POOL_STOPPED')
})
