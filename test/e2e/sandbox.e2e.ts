/** Sandboxes by the real client: files, terminals, and what is left when the daemon or a worker is killed. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { ownerState } from '../../src/shared/identity.ts'
import { until } from '../rigs/daemon.ts'
import { image } from '../rigs/docker.ts'
import { type SandboxLogin, sandboxLogin } from '../rigs/sandbox-login.ts'

/** Without those of the engines that other tests use. */
const mounts = (): string[] =>
  execFileSync('cat', ['/proc/self/mountinfo'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => !/docker|containers\/storage|containerd|netns|kubelet|containerssh-engine/.test(line))

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
    assert.deepEqual(mounts(), before)
  })
  /** Control groups of daemons that ended. */
  const groups = (): string[] =>
    globSync(
      ['/sys/fs/cgroup/*', '/sys/fs/cgroup/**/process_api/*'].map((folder) => `${folder}/containerssh.*`),
    ).filter((path) => ownerState(basename(path).split('.')[2] ?? '') === 'dead')
  test('a daemon that is killed leaves nothing that the next one does not remove', async () => {
    const client = host.client.run(['echo ready; setsid sleep 1000 & sleep 1000'])
    await until('the programs', () => host.processes().filter((line) => line.startsWith('sleep 1000')).length === 2)
    const workers = host.daemon.workers()
    for (const pid of [host.daemon.pid, ...workers]) process.kill(pid, 'SIGKILL')
    await client
    await until('no process', () => host.processes().length === 0)
    assert.equal(host.folders().length, 1)
    assert.notDeepEqual(groups(), [])
    await using next = await host.again()
    await next.line('SANDBOX_REAPED')
    await until('no folder', () => host.folders().length === 0)
    assert.deepEqual(groups(), [])
  })
})

describe('sandboxes of an archive', { concurrency: 1 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sbx-archive-'))
  const archive = join(folder, 'saved.tar.gz')
  let host: SandboxLogin
  before(async () => {
    chmodSync(folder, 0o711)
    const name = await image('containerssh-test/busybox:1')
    execFileSync('sh', ['-c', 'docker save "$1" | gzip > "$2"', 'sh', name, archive])
    const rootfs = { source: 'archive', path: archive, cache: join(folder, 'cache') }
    host = await sandboxLogin({ rootfs, shellCommand: ['/bin/sh'] })
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  test('programs are those of the image, which nobody can change', async () => {
    await host.daemon.line('SANDBOX_UNPACK_SUCCESSFUL')
    const { code, stdout, stderr } = await host.client.run(['readlink -f /bin/ls; ls /usr/bin/perl; touch /bin/mine'])
    assert.equal(code, 1)
    assert.equal(stdout.toString(), '/bin/busybox\n')
    assert.match(stderr.toString(), /perl: No such file[\s\S]*Read-only file system/)
  })
  test('what is written to the folders for it is gone with the session', async () => {
    const write = 'for d in /tmp /var/tmp /run "$HOME"; do test ! -e $d/x && echo $d > $d/x && cat $d/x || exit 9; done'
    for (const _session of ['one', 'other']) {
      const { code, stdout } = await host.client.run([write])
      assert.deepEqual([code, stdout.toString().split('\n').slice(0, 2)], [0, ['/tmp', '/var/tmp']])
    }
  })
  test('the next daemon takes what is unpacked, and one whose archive is damaged does not start', async () => {
    await using next = await host.again()
    assert.ok(!next.lines.some(({ code }) => code.startsWith('SANDBOX_UNPACK')))
    const path = join(folder, 'damaged.tar.gz')
    writeFileSync(path, readFileSync(archive).subarray(0, 5000))
    await assert.rejects(sandboxLogin({ rootfs: { source: 'archive', path } }), /damaged\.tar\.gz/)
  })
})
