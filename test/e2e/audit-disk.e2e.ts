import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { login } from '../rigs/login.ts'
import { smallDisk } from '../rigs/small-disk.ts'
import { contentsOf } from '../shared/audit/rig.ts'

/** More than the disk has, and nothing that a compressor makes smaller; then a word to the client. */
const flood = 'head -c 4000000 /dev/urandom | base64; echo done >&2'

const recorded = (directory: string, more: object = {}) => ({
  workers: 1,
  audit: {
    ...{ enable: true, format: 'binary', storage: 'file', file: { directory }, lowDiskBytes: 0 },
    ...{ intercept: { stdin: true, stdout: true, stderr: true }, ...more },
  },
})
const logsIn = (folder: string): string[] => readdirSync(folder).filter((name) => /^[0-9a-f]{32}$/.test(name))
const contents = (folder: string, name: string) => contentsOf(readFileSync(join(folder, name)))

test('the disk becomes full in a session: it ends with a word to its user, and what was recorded can be read', async () => {
  using disk = smallDisk(2 ** 20)
  await using host = await login({ config: recorded(disk.folder) })
  const { code, stderr } = await host.client.run([flood])
  assert.equal(code, 255)
  assert.match(stderr.toString(), /cannot be recorded/)
  assert.doesNotMatch(stderr.toString(), /done/)
  await host.daemon.line('AUDIT_WRITE_FAILED')
  await host.daemon.line('AUDIT_RECORDING_FAILED')
  assert.equal(
    host.daemon.lines.some(({ code: each }) => each === 'AUDIT_LOG_ABANDONED'),
    false,
  )
  await host.noContainers()
  const [name = ''] = logsIn(disk.folder)
  const { records, problems } = await contents(disk.folder, name)
  assert.deepEqual(problems, [])
  assert.ok(records.length > 10)
  host.daemon.kill('SIGTERM')
  assert.equal((await host.daemon.exited).code, 0)
})

test('with onFailure: continue the session goes on to its end, and the next is not recorded either', async () => {
  using disk = smallDisk(2 ** 20)
  await using host = await login({ config: recorded(disk.folder, { onFailure: 'continue' }) })
  for (let turn = 0; turn < 2; turn++) {
    const { code, stderr, stdout } = await host.client.run([flood])
    assert.deepEqual([code, stderr.toString().trim()], [0, 'done'])
    assert.ok(stdout.length > 5_000_000)
  }
  await until(
    'both to be told',
    () => host.daemon.lines.filter(({ code }) => code === 'AUDIT_RECORDING_ABANDONED').length === 2,
  )
})

test('little space: clients read why they are turned away, and come in when there is room', async () => {
  using disk = smallDisk(2 ** 20)
  await using host = await login({ config: recorded(disk.folder, { lowDiskBytes: 2 ** 19 }) })
  disk.fill(2 ** 17)
  await host.daemon.line('AUDIT_DISK_LOW')
  const refused = await text(connect(host.daemon.port, '127.0.0.1'))
  assert.match(refused, /cannot record sessions at the moment/)
  assert.equal((await host.client.run(['true'])).code, 255)
  await host.daemon.line('AUDIT_CONNECTION_REFUSED')
  disk.fill(2 ** 19 + 2 ** 18)
  await host.daemon.line('AUDIT_DISK_RECOVERED')
  assert.equal((await host.client.run(['true'])).code, 0)
})

test('a daemon that is stopped in the middle of bulk closes its logs, and each is whole', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-audit-'))
  chmodSync(folder, 0o700)
  await using host = await login({ config: { ...recorded(folder), shutdownTimeout: '2s' } })
  const clients = Array.from({ length: 3 }, () => host.client.start(['cat /dev/zero']))
  const received = clients.map((child) => once(child.stdout, 'data'))
  const ended = clients.map((child) => {
    child.stdout.resume()
    return once(child, 'close')
  })
  await Promise.all(received)
  host.daemon.kill('SIGTERM')
  assert.equal((await host.daemon.exited).code, 0)
  await Promise.all(ended)
  const names = logsIn(folder)
  assert.equal(names.length, clients.length)
  for (const name of names) {
    const { records, problems } = await contents(folder, name)
    assert.deepEqual([problems, records.at(-1)?.type], [[], 'disconnect'])
    assert.ok(records.some(({ type }) => type === 'io'))
  }
  rmSync(folder, { recursive: true })
})
