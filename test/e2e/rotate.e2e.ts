import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { cli, until } from '../rigs/daemon.ts'
import { configFor, uniqueUser } from '../rigs/login.ts'
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
