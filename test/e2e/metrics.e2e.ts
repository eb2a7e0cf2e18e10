import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { cli, until } from '../rigs/daemon.ts'
import { login } from '../rigs/login.ts'
import { mmdb } from '../rigs/mmdb.ts'
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

test('the phases of a login are timed in all processes, and the page is what Prometheus and OpenMetrics want', async () => {
  await using host = await login({ config: { workers: 2, metrics: { enable: true, listen: '127.0.0.1:0' } } })
  const url = String((await host.daemon.line('METRICS_AVAILABLE')).details['url'])
  for (let i = 0; i < 2; i++) assert.equal(String((await host.client.run(['echo', 'hello'])).stdout), 'hello\n')
  const timed = async (): Promise<string | undefined> => {
    const page = await (await fetch(url)).text()
    return /^containerssh_backend_removal_seconds_count\{backend="docker"\} 2$/m.test(page) ? page : undefined
  }
  const page = await until('the end of both', timed)
  for (const line of [
    'containerssh_ssh_banner_seconds_count',
    'containerssh_ssh_key_exchange_seconds_count',
    'containerssh_ssh_authentication_seconds_count',
    'containerssh_backend_ready_seconds_count{backend="docker",result="ready"}',
    'containerssh_backend_program_start_seconds_count{backend="docker",result="running"}',
    'containerssh_ssh_first_byte_seconds_count',
    'containerssh_ssh_program_seconds_count{request="exec"}',
    'containerssh_ssh_exit_seconds_count',
    'containerssh_ssh_connection_seconds_count{session="yes"}',
  ]) {
    assert.ok(page.includes(`\n${line} 2\n`), `${line}\n${page}`)
  }
  for (const name of ['primary', 'worker-1', 'worker-2']) {
    const late = new RegExp(`^containerssh_event_loop_delay_seconds_count\\{process="${name}"\\} [1-9]`, 'm')
    assert.match(page, late)
    assert.match(page, new RegExp(`^containerssh_process_resident_memory_bytes\\{process="${name}"\\} \\d{7,}$`, 'm'))
  }
  assert.match(page, /^containerssh_workers\{state="serving"\} 2$/m)
  assert.match(page, /^containerssh_ready 1$/m)
  assert.match(page, /^containerssh_backend_requests_total\{backend="docker"\} [1-9]/m)
})

test('countries are those of the file, on the page and in the audit log; the file is read again on SIGHUP', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-geoip-'))
  const file = join(folder, 'countries.mmdb')
  writeFileSync(file, mmdb({ '127.0.0.0/8': 'HU' }))
  const config = {
    metrics: { enable: true, listen: '127.0.0.1:0' },
    geoip: { provider: 'maxmind', 'maxmind-geoip2-file': file },
    audit: { enable: true, format: 'binary', storage: 'file', file: { directory: folder } },
  }
  await using host = await login({ config })
  const url = String((await host.daemon.line('METRICS_AVAILABLE')).details['url'])
  const has = (line: string) => async () => (await (await fetch(url)).text()).includes(`\n${line}\n`)
  assert.equal((await host.client.run(['true'])).code, 0)
  await until('a Hungarian', has('containerssh_ssh_successful_handshakes_total{country="HU"} 1'))
  assert.ok(await has('containerssh_ssh_connections_total{country="HU"} 1')())
  writeFileSync(`${file}.new`, mmdb({ '127.0.0.0/8': 'DE' }))
  renameSync(`${file}.new`, file)
  const before = host.daemon.lines.length
  host.daemon.kill('SIGHUP')
  await until('the new file', () => host.daemon.lines.slice(before).some(({ code }) => code === 'CORE_GEOIP_LOADED'))
  assert.equal((await host.client.run(['true'])).code, 0)
  assert.ok(await has('containerssh_ssh_connections_total{country="DE"} 1')())
  const connected = host.daemon.lines.filter(({ code }) => code === 'SSH_CONNECTED')
  const logs = connected.map(({ details }) => join(folder, String(details['connectionId'])))
  await until('both logs', () => logs.every((log) => countryIn(log) !== undefined))
  assert.deepEqual(logs.map(countryIn), ['HU', 'DE'])
  rmSync(folder, { recursive: true })
})

/** Of the record `connect` of an audit log, by the tool for operators. */
function countryIn(log: string): string | undefined {
  if (!existsSync(log)) return undefined
  const { stdout } = spawnSync(process.execPath, [cli, 'audit', 'decode', log], {
    encoding: 'utf8',
  })
  return /"country": ?"([A-Z]{2})"/.exec(stdout)?.[1]
}
