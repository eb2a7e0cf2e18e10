/** Sandboxes by the real client: files, terminals, and what is left when the daemon or a worker is killed. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { type SandboxLogin, sandboxLogin } from '../rigs/sandbox-login.ts'

const mounts = (): string => execFileSync('cat', ['/proc/self/mountinfo'], { encoding: 'utf8' })

describe('sandboxes', { concurrency: 1 }, () => {
  let host: SandboxLogin
  before(async () => {
    host = await sandboxLogin({ mode: 'connection' })
  })
  after(() => host[Symbol.asyncDispose]())

  test('each has a user of the machine of its own', async () => {
    const both = await Promise.all([1, 2].map(() => host.client.run(['readlink /proc/self/ns/user; id -un; sleep 1'])))
    const [one = '', other = ''] = both.map(({ stdout }) => stdout.toString())
    assert.match(one, /^user:\[\d+\]\nuser\n$/)
    assert.notEqual(one, other)
  })
  test('a worker that is killed leaves nothing', async () => {
    const before = mounts()
    const client = host.client.run(['echo ready; setsid sleep 1000 & sleep 1000'])
    await until('the programs', () => host.processes().filter((line) => line.startsWith('sleep 1000')).length === 2)
    const [worker = 0] = host.daemon.workers()
    process.kill(worker, 'SIGKILL')
    await client
    await until('no process', () => host.processes().length === 0)
    await until('no folder', () => host.folders().length === 0)
    assert.equal(mounts(), before)
  })
  test('a daemon that is killed leaves nothing that the next one does not remove', async () => {
    const client = host.client.run(['echo ready; setsid sleep 1000 & sleep 1000'])
    await until('the programs', () => host.processes().filter((line) => line.startsWith('sleep 1000')).length === 2)
    const workers = host.daemon.workers()
    for (const pid of [host.daemon.pid, ...workers]) process.kill(pid, 'SIGKILL')
    await client
    await until('no process', () => host.processes().length === 0)
    assert.equal(host.folders().length, 1)
    await using next = await host.again()
    await next.line('SANDBOX_REAPED')
    await until('no folder', () => host.folders().length === 0)
  })
})
