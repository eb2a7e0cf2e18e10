import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { cli, type LogLine, record } from '../rigs/daemon.ts'
import { configFor, login, uniqueUser } from '../rigs/login.ts'
import { type Key, makeKey } from '../rigs/ssh.ts'

interface Ended {
  readonly code: number | null
  readonly lines: readonly LogLine[]
  readonly stderr: string
}

/** Runs the command line to its end; a daemon that goes on for 30 s is killed, which no test expects. */
function runCli(args: readonly string[], cwd: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', reject)
    child.on('close', (code) => {
      const texts = stdout.split('\n').filter((line) => line.startsWith('{'))
      for (const text of texts) record(text)
      resolve({ code, lines: texts.map((text) => JSON.parse(text) as LogLine), stderr })
    })
  })
}

describe('bad input gives one line that names it, and the right exit status', { concurrency: 1 }, () => {
  let folder: string
  let key: Key
  let good: Record<string, unknown>
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'containerssh-bad-'))
    key = makeKey()
    good = await configFor(uniqueUser(), key)
  })
  after(() => {
    key[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })
  const start = (config: Record<string, unknown> | string): Promise<Ended> => {
    writeFileSync(join(folder, 'config.yaml'), typeof config === 'string' ? config : stringify(config))
    return runCli(['--config', 'config.yaml'], folder)
  }
  const one = (ended: Ended, code: string, ...patterns: readonly RegExp[]): void => {
    assert.equal(ended.code, 1, ended.stderr)
    const crit = ended.lines.filter((line) => line.level === 'crit')
    assert.equal(crit.length, 1, JSON.stringify(ended.lines))
    assert.equal(crit[0]?.code, code)
    for (const pattern of patterns) assert.match(crit[0]?.message ?? '', pattern)
  }

  test('a configuration file that does not exist', async () => {
    one(await runCli(['--config', 'nowhere.yaml'], folder), 'CORE_CONFIG_ERROR', /nowhere\.yaml/)
  })
  test('an unknown key', async () => {
    one(await start({ ...good, bakcend: 'docker' }), 'CORE_CONFIG_ERROR', /config\.yaml:\d+/, /bakcend/, /backend/)
  })
  test('a wrong type', async () => {
    one(await start({ ...good, ssh: { listen: ['a'] } }), 'CORE_CONFIG_ERROR', /ssh\.listen/)
  })
  test('a bad duration', async () => {
    one(
      await start({ ...good, ssh: { clientAliveInterval: '5 parsecs' } }),
      'CORE_CONFIG_ERROR',
      /ssh\.clientAliveInterval/,
      /5 parsecs/,
    )
  })
  test('several errors at once are all named, one line each', async () => {
    const ended = await start({ ...good, foo: 1, ssh: { clientAliveInterval: 'x' } })
    assert.equal(ended.code, 1)
    const crit = ended.lines.filter((line) => line.code === 'CORE_CONFIG_ERROR').map((line) => line.message)
    assert.equal(crit.length, 2, crit.join('\n'))
    assert.ok(crit.some((message) => message.includes('foo')))
    assert.ok(crit.some((message) => message.includes('ssh.clientAliveInterval')))
  })
  test('YAML that does not parse', async () => {
    one(await start('ssh: [\n'), 'CORE_CONFIG_ERROR', /config\.yaml:\d+/)
  })
  test('a host key that cannot be read', async () => {
    one(
      await start({ ...good, ssh: { hostkeys: ['/nowhere/key'] } }),
      'CORE_CONFIG_ERROR',
      /ssh\.hostkeys\[0\]/,
      /\/nowhere\/key/,
    )
  })
  test('a host key that is none', async () => {
    const pem = '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n'
    one(await start({ ...good, ssh: { hostkeys: [pem] } }), 'CORE_CONFIG_ERROR', /ssh\.hostkeys\[0\]/)
  })
  test('a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const ended = await start({ ...good, log: { level: 'info' }, ssh: { listen: `127.0.0.1:${port}` } })
    server.close()
    one(ended, 'SSH_START_FAILED', new RegExp(`127\\.0\\.0\\.1:${port}`), /in use|EADDRINUSE/)
    assert.ok(ended.lines.some((line) => line.code === 'SERVICE_CRASHED'))
  })
  test('a log file in a folder that does not exist', async () => {
    one(
      await start({ ...good, log: { destination: 'file', file: '/nowhere/x.log' } }),
      'LOG_FILE_OPEN_FAILED',
      /\/nowhere\/x\.log/,
    )
  })
  test('an unknown flag prints the usage and exits with 2', async () => {
    const ended = await runCli(['--no-such-flag'], folder)
    assert.equal(ended.code, 2)
    assert.match(ended.stderr, /--no-such-flag/)
  })
  test('check-config names the same errors and starts nothing', async () => {
    writeFileSync(join(folder, 'config.yaml'), stringify({ ...good, foo: 1 }))
    assert.equal((await runCli(['check-config', '--config', 'config.yaml'], folder)).code, 1)
    writeFileSync(join(folder, 'config.yaml'), stringify(good))
    assert.equal((await runCli(['check-config', '--config', 'config.yaml'], folder)).code, 0)
  })
})

test('without a Docker engine a login is refused with one sentence that names the engine, on both sides', async () => {
  const config = {
    docker: {
      connection: { host: 'unix:///nowhere/docker.sock' },
      execution: { container: { image: 'x' } },
      timeouts: { containerStart: '2s' },
    },
  }
  await using host = await login({ config })
  const { code, stderr } = await host.client.run(['true'])
  assert.equal(code, 255)
  assert.notEqual(stderr, '', 'the user is told something')
  const line = await host.daemon.line('SSH_BACKEND_REJECTED_HANDSHAKE')
  assert.equal(line.level, 'error')
  assert.match(line.message, /unix:\/\/\/nowhere\/docker\.sock/)
})

test('a missing image is named in the log and the login is refused at once', async () => {
  const user = uniqueUser()
  using key = makeKey()
  const config = await configFor(user, key)
  const docker = structuredClone(config['docker']) as { execution: { container: { image: string } } }
  docker.execution.container.image = 'containerssh-test/no-such-image:1'
  await using host = await login({ user, key, config: { docker } })
  assert.equal((await host.client.run(['true'])).code, 255)
  const line = await host.daemon.line('DOCKER_CONTAINER_CREATE_FAILED', (entry) => entry.level === 'error')
  assert.match(line.message, /containerssh-test\/no-such-image:1/)
})
