import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { cli, type LogLine, record, until } from '../rigs/daemon.ts'
import { configFor, uniqueUser } from '../rigs/login.ts'
import { knock, startQuietDaemon } from '../rigs/quiet-daemon.ts'
import { makeKey } from '../rigs/ssh.ts'

test('SIGHUP makes the daemon write to a new log file after the old one was moved away', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-rotate-'))
  using key = makeKey()
  const file = join(folder, 'daemon.log')
  const config = await configFor(uniqueUser(), key)
  const configPath = join(folder, 'config.yaml')
  writeFileSync(configPath, stringify({ ...config, log: { level: 'debug', destination: 'file', file } }))
  const child = spawn(process.execPath, [cli, '--config', configPath], { stdio: 'ignore' })
  try {
    const serves = (): boolean => existsSync(file) && readFileSync(file, 'utf8').includes('SERVICE_POOL_RUNNING')
    await until('the daemon to serve', serves, 30_000)
    renameSync(file, `${file}.1`)
    child.kill('SIGHUP')
    await until('a new log file', () => existsSync(file))
    child.kill('SIGTERM')
    await new Promise((resolve) => child.once('exit', resolve))
    assert.match(readFileSync(file, 'utf8'), /SERVICE_POOL_STOPPED/)
    assert.doesNotMatch(readFileSync(`${file}.1`, 'utf8'), /SERVICE_POOL_STOPPED/)
  } finally {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a rotation that fails costs nothing: the log goes on in the old file, and sessions work', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-rotate-'))
  const inner = join(folder, 'inner')
  mkdirSync(inner)
  const [before, after] = [join(inner, 'log'), join(folder, 'moved', 'log')]
  await using daemon = await startQuietDaemon({ log: { destination: 'file', file: before } })
  renameSync(inner, join(folder, 'moved'))
  daemon.child.kill('SIGHUP')
  const find = (code: string) =>
    readFileSync(after, 'utf8')
      .split('\n')
      .find((line) => line.includes(`"${code}"`))
  const failure = await until('the failure', () => find('LOG_ROTATE_FAILED'))
  record(failure)
  const { level, details, message } = JSON.parse(failure) as LogLine
  assert.deepEqual([level, details], ['error', { file: before }])
  assert.match(message, /ENOENT/)
  assert.equal((await daemon.client.run(['exit 3'])).code, 3)
  assert.equal(await daemon.stop(), 0)
  assert.ok(find('SERVICE_POOL_STOPPED'))
  rmSync(folder, { recursive: true, force: true })
})

test('rotated again and again under load, each record is in one of the files, once and whole', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-rotate-'))
  const file = join(folder, 'daemon.log')
  await using daemon = await startQuietDaemon({ log: { destination: 'file', file, flood: { records: 0 } } })
  const [turns, connections] = [10, 40]
  for (let turn = 0; turn < turns; turn++) {
    const knocking = knock(daemon.client.port, connections)
    renameSync(file, `${file}.${turn}`)
    daemon.child.kill('SIGHUP')
    await until('a new log file', () => existsSync(file))
    await knocking
  }
  assert.equal(await daemon.stop(), 0)
  const files = Array.from({ length: turns }, (_, turn) => `${file}.${turn}`)
  const texts = [...files, file].map((each) => readFileSync(each, 'utf8'))
  assert.ok(texts.every((text) => text === '' || text.endsWith('\n')))
  const lines = texts.flatMap((text) => text.split('\n').filter((line) => line !== ''))
  const records = lines.map((line) => JSON.parse(line) as LogLine)
  const idsOf = (code: string) =>
    records
      .filter((record) => record.code === code)
      .map(({ details }) => details['connectionId'])
      .sort()
  const connected = idsOf('SSH_CONNECTED')
  // The rig has knocked, too, until it was answered.
  assert.ok(connected.length > turns * connections)
  assert.equal(new Set(connected).size, connected.length)
  assert.deepEqual(idsOf('SSH_HANDSHAKE_FAILED'), connected)
  assert.deepEqual(idsOf('SSH_DISCONNECTED'), connected)
  assert.equal(records.at(-1)?.code, 'SERVICE_POOL_STOPPED')
  rmSync(folder, { recursive: true, force: true })
})
