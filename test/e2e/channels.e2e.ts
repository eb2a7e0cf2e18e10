import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { login } from '../rigs/login.ts'
import { finish } from '../rigs/ssh.ts'

test('20 channels over one connection run at the same time in one container', async () => {
  await using host = await login()
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-mux-'))
  const control = ['-o', `ControlPath=${join(folder, 'control')}`]
  const master = host.client.start([], ['-M', '-N', ...control])
  try {
    await until('the master connection', async () => (await host.client.run(['true'], { options: control })).code === 0)
    const all = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        // Each waits until all 20 have started: proof that they run at the same time.
        const command = `mkdir -p /tmp/go; touch /tmp/go/${i}; while [ $(ls /tmp/go | wc -l) -lt 20 ]; do sleep 0.1; done; cat; exit ${i}`
        return host.client.run([command], { options: control, input: Buffer.from(`input ${i}`) })
      }),
    )
    assert.deepEqual(
      all.map((result) => result.code),
      Array.from({ length: 20 }, (_, i) => i),
    )
    assert.deepEqual(
      all.map((result) => result.stdout.toString()),
      Array.from({ length: 20 }, (_, i) => `input ${i}`),
    )
    assert.equal((await host.containers()).length, 1)
  } finally {
    const ended = finish(master)
    master.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  await host.noContainers()
})
