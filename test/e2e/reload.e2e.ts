/** SIGHUP and SIGUSR2 under live sessions: nobody is cut. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'
import { children, type Daemon, until } from '../rigs/daemon.ts'
import { stay } from '../rigs/live.ts'
import { type Login, login } from '../rigs/login.ts'
import { client } from '../rigs/ssh.ts'

interface File {
  readonly docker: { readonly execution: { readonly container: object } }
}

/** Writes the configuration anew: containers have this variable from now on. */
function change({ configPath }: Daemon, value: string): void {
  const config = parse(readFileSync(configPath, 'utf8')) as File
  const { execution } = config.docker
  const container = { ...execution.container, env: [`VARIABLE=${value}`] }
  writeFileSync(
    configPath,
    stringify({ ...config, docker: { ...config.docker, execution: { ...execution, container } } }),
  )
}
const variable = async ({ client }: Login): Promise<string> =>
  (await client.run(['echo $VARIABLE'])).stdout.toString().trim()

test('a changed configuration holds for new logins, and sessions from before go on', async () => {
  await using session = await login({ config: { workers: 2 } })
  const { daemon, client } = session
  const live = Array.from({ length: 6 }, () => stay(client))
  for (const one of live) await one.answers()
  const old = children(daemon.pid)

  change(daemon, 'new')
  daemon.kill('SIGHUP')
  await daemon.line('CORE_RELOADED')
  assert.equal(await variable(session), 'new')
  for (const one of live) await one.answers()

  writeFileSync(daemon.configPath, 'ssh: { listen: 7, no-such-key: 1 }')
  daemon.kill('SIGHUP')
  await daemon.line('CORE_RELOAD_FAILED')
  const { message } = await daemon.line('CORE_CONFIG_ERROR', (line) => line.message.includes('no-such-key'))
  assert.match(message, /config\.yaml/)
  assert.equal(await variable(session), 'new')

  for (const one of live) {
    await one.answers()
    assert.equal(await one.end(), 0)
  }
  await until('the old workers to end', () => old.every((pid) => !existsSync(`/proc/${pid}`)))
  assert.deepEqual(
    daemon.lines.filter(({ code, level }) => code === 'WORKER_EXITED' && level !== 'info'),
    [],
  )
  await session.noContainers()
})

test('a new version takes over the listen sockets, and sessions of the old one go on', async () => {
  const health = { enable: true, listen: '127.0.0.1:0' }
  await using session = await login({ config: { workers: 1, health } })
  const { daemon } = session
  const url = String((await daemon.line('HEALTH_AVAILABLE')).details['url'])
  const live = Array.from({ length: 3 }, () => stay(session.client))
  for (const one of live) await one.answers()

  change(daemon, 'new')
  daemon.kill('SIGUSR2')
  const { details } = await daemon.line('CORE_HANDED_OVER', () => true, 60_000)
  const successor = Number(details['pid'])
  try {
    assert.equal(await variable(session), 'new')
    assert.equal((await fetch(url)).status, 200)
    // Neither process is in the way of the other.
    const where = client(session.daemon.port, session.key, session.user)
    assert.equal((await where.run(['true'])).code, 0)
    for (const one of live) await one.answers()
    for (const one of live) assert.equal(await one.end(), 0)
    assert.deepEqual(await daemon.exited, { code: 0, signal: null })
    assert.equal(await variable(session), 'new')
    assert.equal((await fetch(url)).status, 200)
  } finally {
    process.kill(successor, 'SIGTERM')
    await until('the successor to end', () => !existsSync(`/proc/${successor}`), 30_000)
  }
  await session.noContainers()
})

test('a new version that does not start changes nothing', async () => {
  await using session = await login({ config: { workers: 1 } })
  const { daemon, client } = session
  const live = stay(client)
  await live.answers()
  writeFileSync(daemon.configPath, 'nonsense: [')
  daemon.kill('SIGUSR2')
  const { message } = await daemon.line('CORE_UPGRADE_FAILED', () => true, 60_000)
  assert.match(message, /it ended \(exit status 1\)/)
  assert.equal((await client.run(['echo on'])).stdout.toString(), 'on\n')
  await live.answers()
  assert.equal(await live.end(), 0)
})
