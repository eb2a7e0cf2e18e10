/** Failures of sandboxes: each has a code, and leaves nothing. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Fault } from '../../../src/shared/codes/fault.ts'
import { killAll } from '../../../src/workers/backends/sandbox/cgroup/files.ts'
import { until } from '../../rigs/daemon.ts'
import { exec, run, talk } from '../rig.ts'
import { sandboxRoom } from './rig.ts'

describe('failures of sandboxes', { concurrency: 1 }, () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sbx-tools-'))
    chmodSync(folder, 0o711)
  })
  after(() => rmSync(folder, { recursive: true }))
  /** A program in the place of bubblewrap. */
  const program = (name: string, script: string): string => {
    const path = join(folder, name)
    writeFileSync(path, `#!/bin/bash\nPATH=/usr/bin:/bin\n${script}\n`, { mode: 0o755 })
    return path
  }

  test('SANDBOX_CONFIG_ERROR: no tool is there, and each says so', async () => {
    const bwrap = join(folder, 'nosuch')
    await assert.rejects(sandboxRoom({ bwrap, unshare: `${bwrap}-either` }), (error: Fault) => {
      assert.equal(error.code, 'SANDBOX_CONFIG_ERROR')
      assert.match(error.message, /bwrap: there is no program .*nosuch; install bubblewrap/)
      assert.match(error.message, /unshare: there is no program .*nosuch-either; install util-linux/)
      return true
    })
  })
  test('SANDBOX_TOOL: without bubblewrap it is unshare', async () => {
    await using rig = await sandboxRoom({ bwrap: join(folder, 'nosuch') })
    const { labels } = await rig.logged('SANDBOX_TOOL')
    assert.match(String(labels['tool']), /\/unshare$/)
    assert.match(String(labels['refused']), /there is no program .*nosuch/)
    const session = rig.enter()
    assert.equal((await run(session, 'id -un')).stdout, 'user\n')
    await session[Symbol.asyncDispose]()
  })
  test('SANDBOX_INODES_UNLIMITED: whoever bubblewrap starts may have no capabilities', async () => {
    const bwrap = program(
      'without-capabilities',
      'for one; do shift; case $one in --cap-add|CAP_*) ;; *) set -- "$@" "$one";; esac; done; exec bwrap "$@"',
    )
    await using rig = await sandboxRoom({ tool: 'bwrap', bwrap })
    assert.equal((await rig.logged('SANDBOX_INODES_UNLIMITED')).level, 'warning')
    const session = rig.enter()
    assert.match((await run(session, 'grep Seccomp: /proc/self/status')).stdout, /\t2/)
    await session[Symbol.asyncDispose]()
  })
  test('SANDBOX_START_FAILED: the reason is in the words of the tool', async () => {
    const flag = join(folder, 'broken')
    const bwrap = program('breaks', `test -e ${flag} && { echo it broke >&2; exit 1; }; exec bwrap "$@"`)
    await using rig = await sandboxRoom({ tool: 'bwrap', bwrap })
    writeFileSync(flag, '')
    const channel = await talk(rig.enter())
    const verdict = await channel.ask(exec('true'))
    assert.ok(!verdict.accepted && verdict.fault.code === 'SANDBOX_START_FAILED')
    assert.match(verdict.fault.message, /it broke/)
    await until('nothing to be left', async () => (await rig.containers()).length === 0)
  })
  test('SANDBOX_FULL: there are no more user IDs', async () => {
    await using rig = await sandboxRoom({ ids: { first: 3_200_000, count: 1 } })
    const first = rig.enter()
    await run(first, 'true')
    const verdict = await (await talk(rig.enter())).ask(exec('true'))
    assert.ok(!verdict.accepted && verdict.fault.code === 'SANDBOX_FULL')
    await first[Symbol.asyncDispose]()
  })
  test('SANDBOX_LOST: somebody kills it while its program runs', async () => {
    await using rig = await sandboxRoom({})
    const session = rig.enter()
    const channel = await talk(session)
    await channel.start(exec('echo up; sleep 100'))
    await until('the program', () => channel.stdout.text === 'up\n')
    const [id = ''] = await rig.containers()
    const pids = execFileSync('pgrep', ['-f', id], { encoding: 'utf8' }).trim().split('\n').map(Number)
    assert.ok(pids.length > 0)
    // The tool: of all at once, the program could be the first to have ended, and its end the first to be told.
    killAll(pids.slice(0, 1))
    assert.deepEqual(await channel.exit, { kind: 'status', code: 137 })
    assert.match(String((await rig.logged('SANDBOX_LOST')).labels['reason']), /SIGKILL/)
    await session[Symbol.asyncDispose]()
    await until('nothing to be left', async () => (await rig.containers()).length === 0)
  })
  test('SANDBOX_EXEC_FAILED: there is a NUL in the command', async () => {
    await using rig = await sandboxRoom({})
    const session = rig.enter()
    const verdict = await (await talk(session)).ask(exec('echo \0'))
    assert.ok(!verdict.accepted && verdict.fault.code === 'SANDBOX_EXEC_FAILED')
    await session[Symbol.asyncDispose]()
  })
  test('SANDBOX_FILE_WRITE_FAILED: what comes from the root file system cannot be changed', async () => {
    const files = new Map([['/usr/mine', { value: Buffer.from('x'), sensitive: false }]])
    await using rig = await sandboxRoom({}, { files })
    const session = rig.enter()
    await run(session, 'true')
    assert.match(String((await rig.logged('SANDBOX_FILE_WRITE_FAILED')).labels['reason']), /read-only/i)
    await session[Symbol.asyncDispose]()
  })
  test('SANDBOX_REAP_FAILED: the folder of marks is gone', async () => {
    await using rig = await sandboxRoom({})
    rmSync(rig.directory, { recursive: true })
    await rig.backend.reap(new AbortController().signal)
    assert.match(String((await rig.logged('SANDBOX_REAP_FAILED')).labels['reason']), /ENOENT/)
    writeFileSync(rig.directory, '') // the rig removes it
    assert.ok(existsSync(rig.directory))
  })
})
