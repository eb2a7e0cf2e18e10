import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { migrateConfig } from '../../src/primary/migrate-config.ts'
import { engine, image } from '../rigs/docker.ts'
import { login, uniqueUser } from '../rigs/login.ts'

test('a dockerrun configuration, migrated: a shell runs the command of the container, commands are refused', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dockerrun-'))
  try {
    const path = join(folder, 'config.yaml')
    const busybox = await image('containerssh-test/busybox:1')
    const { host } = await engine()
    const command = '[/bin/sh, -c, "read line; echo got $line; exit 7"]'
    writeFileSync(
      path,
      `backend: dockerrun
dockerrun:
  host: ${JSON.stringify(host)}
  config:
    disableCommand: true
    container: {image: ${JSON.stringify(busybox)}, cmd: ${command}}
`,
    )
    const { docker, security } = parse((await migrateConfig(path)).text)
    // The image is in no registry, and the old backend always pulled.
    docker.execution.imagePullPolicy = 'Never'
    await using session = await login({ mode: 'session', user: uniqueUser(), config: { docker, security } })
    const shell = await session.client.run([], { input: Buffer.from('this\n') })
    assert.deepEqual([shell.stdout.toString(), shell.code], ['got this\n', 7])
    const exec = await session.client.run(['echo no'])
    assert.notEqual(exec.code, 0)
    assert.equal(exec.stdout.toString(), '')
    await session.daemon.line('SECURITY_EXEC_REJECTED')
    await session.noContainers()
  } finally {
    rmSync(folder, { recursive: true })
  }
})
