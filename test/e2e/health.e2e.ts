import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { login } from '../rigs/login.ts'

test('ready is who has all workers: one that dies makes it wait for the next, and liveness does not care', async () => {
  const enabled = { enable: true, listen: '127.0.0.1:0' }
  await using host = await login({ config: { workers: 2, health: enabled, metrics: enabled } })
  const { daemon } = host
  const health = String((await daemon.line('HEALTH_AVAILABLE')).details['url'])
  const metrics = String((await daemon.line('METRICS_AVAILABLE')).details['url'])
  const status = async (path = ''): Promise<number> => (await fetch(`${health}${path}`)).status
  const has = (line: string) => async () => (await (await fetch(metrics)).text()).includes(`\n${line}\n`)
  assert.equal(await status(), 200)
  assert.ok(await has('containerssh_ready 1')())
  const [victim] = daemon.workers()
  assert.ok(victim !== undefined)
  process.kill(victim, 'SIGKILL')
  await until('not ready', async () => (await status()) === 503)
  assert.equal(await status('livez'), 200)
  await until('ready again', async () => (await status()) === 200, 60_000)
  assert.ok(await has('containerssh_worker_exits_total{reason="crash"} 1')())
  assert.ok(await has('containerssh_ready 1')())
})
