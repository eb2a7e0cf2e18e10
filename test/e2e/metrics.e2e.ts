import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { login } from '../rigs/login.ts'
import { rawClient } from '../rigs/raw.ts'

test('what all workers and the primary count is on one page, under the names of ContainerSSH', async () => {
  const metrics = { enable: true, listen: '127.0.0.1:0' }
  await using host = await login({ config: { workers: 2, metrics }, ssh: { maxStartupsPerSource: 4 } })
  const url = String((await host.daemon.line('METRICS_AVAILABLE')).details['url'])
  const series = async (line: string): Promise<number> => {
    const page = await (await fetch(url)).text()
    return Number(
      page
        .split('\n')
        .find((one) => one.startsWith(`${line} `))
        ?.split(' ')[1] ?? 0,
    )
  }
  for (let i = 0; i < 4; i++) assert.equal((await host.client.run(['true'])).code, 0)
  assert.equal((await host.client.run(['true'], { options: ['-l', 'nobody-knows-me'] })).code, 255)
  const held = [1, 2, 3, 4].map(() => rawClient(host.daemon.port, '127.0.0.2'))
  for (const one of held) await one.receives(/\r\n/)
  await rawClient(host.daemon.port, '127.0.0.2').ended
  assert.equal(await series('containerssh_ssh_connections_total{country="XX"}'), 9)
  assert.equal(await series('containerssh_ssh_refusals_total{reason="startups_per_source"}'), 1)
  await until('the four', async () => (await series('containerssh_ssh_current_connections{country="XX"}')) === 4)
  // Workers report now and then.
  await until(
    'the logins',
    async () => (await series('containerssh_ssh_successful_handshakes_total{country="XX"}')) === 4,
  )
  for (const { socket } of held) socket.destroy()
  await until(
    'the failures',
    async () => (await series('containerssh_ssh_failed_handshakes_total{country="XX"}')) === 5,
  )
  await until('nobody', async () => (await series('containerssh_ssh_current_connections{country="XX"}')) === 0)
})
