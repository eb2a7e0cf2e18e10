import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { type Login, login } from '../rigs/login.ts'

const run = promisify(execFile)

describe('copying files with the stock tools into an image that has an sftp server', { concurrency: 1 }, () => {
  let host: Login
  let folder: string
  const content = randomBytes(5_000_000)
  // One connection for all copies, so that they meet the same container.
  let control: readonly string[]
  before(async () => {
    host = await login()
    folder = mkdtempSync(join(tmpdir(), 'containerssh-copy-'))
    writeFileSync(join(folder, 'original'), content)
    control = ['-o', `ControlPath=${join(folder, 'control')}`]
    await run('ssh', [
      ...host.client.options,
      ...control,
      '-M',
      '-N',
      '-f',
      '-p',
      String(host.client.port),
      `${host.user}@127.0.0.1`,
    ])
  })
  after(async () => {
    await run('ssh', [...control, '-O', 'exit', `${host.user}@127.0.0.1`]).catch(() => undefined)
    await host[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })
  const remote = (path: string): string => `${host.user}@127.0.0.1:${path}`
  const common = (): string[] => [...host.client.options, ...control, '-P', String(host.client.port)]

  test('scp copies a file there and back', async () => {
    await run('scp', [...common(), join(folder, 'original'), remote('/tmp/by-scp')])
    await run('scp', [...common(), remote('/tmp/by-scp'), join(folder, 'scp-back')])
    assert.ok(readFileSync(join(folder, 'scp-back')).equals(content))
  })

  test('sftp copies a file there and back and lists it', async () => {
    const batch = join(folder, 'batch')
    writeFileSync(
      batch,
      `put ${join(folder, 'original')} /tmp/by-sftp\nls -l /tmp\nget /tmp/by-sftp ${join(folder, 'sftp-back')}\n`,
    )
    const { stdout } = await run('sftp', [...common(), '-b', batch, `${host.user}@127.0.0.1`])
    assert.match(stdout, /by-sftp/)
    assert.ok(readFileSync(join(folder, 'sftp-back')).equals(content))
  })

  test('an unknown subsystem is refused and the connection goes on', async () => {
    const options = [...control, '-s']
    const refused = await host.client.run(['no-such-subsystem'], { options })
    assert.notEqual(refused.code, 0)
    await host.daemon.line('DOCKER_SUBSYSTEM_NOT_SUPPORTED')
    assert.equal((await host.client.run(['exit 3'], { options: control })).code, 3)
  })
})
