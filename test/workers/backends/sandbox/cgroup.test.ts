/** Control groups by the kernel's own files: version 2 as far as this kernel's tree has it, and the search for either. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { findHierarchies, parseHierarchies } from '../../../../src/workers/backends/sandbox/cgroup/hierarchies.ts'
import { delegate, openV2 } from '../../../../src/workers/backends/sandbox/cgroup/v2.ts'
import { until } from '../../../rigs/daemon.ts'

const own = (await findHierarchies()).unified
const skip = (own === undefined || process.getuid?.() !== 0) && 'no tree of version 2 to write to'

/** A group with a process of its own in it, in a group that has none. */
async function withTree(task: (base: string) => Promise<void>): Promise<void> {
  const base = join(own ?? '', `sandbox-test-${process.pid}`)
  mkdirSync(base)
  try {
    await task(base)
  } finally {
    const daemon = join(base, 'containerssh-daemon')
    if (existsSync(daemon)) rmdirSync(daemon)
    rmdirSync(base)
  }
}

test('version 2: a group ends all that is in it, counts its processor time, and is gone then', { skip }, async () => {
  await withTree(async (base) => {
    const groups = await openV2(base, ['cpuTime'])
    assert.equal(groups.version, 'v2')
    const group = await groups.make('one', { memory: 0, pids: 0, cpuPercent: 0 })
    assert.deepEqual(await groups.names(), ['one'])
    const [entrance = ''] = group.entrances
    const words = ['-c', `echo 0 > ${entrance}; trap "" TERM; echo in; while :; do :; done & wait`]
    const child = spawn('/bin/sh', words, { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    assert.equal(readFileSync(entrance, 'utf8').split('\n').includes(String(child.pid)), true)
    while ((await group.processorTime()) === 0);
    await group.end(10_000)
    assert.deepEqual(await groups.names(), [])
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    assert.equal(child.signalCode, 'SIGKILL')
  })
})

const controllers = own === undefined ? '' : readFileSync(join(own, 'cgroup.controllers'), 'utf8').trim()
const [controller = ''] = controllers.split(' ')

test('version 2: the processes of the daemon make room for a controller, those of others do not', {
  skip: skip || (controller === '' && 'no controller in the tree'),
}, async () => {
  const parent = join(own ?? '', 'cgroup.subtree_control')
  const wasOn = readFileSync(parent, 'utf8').includes(controller)
  if (!wasOn) writeFileSync(parent, `+${controller}`)
  const child = spawn('sleep', ['60'])
  // Its parent ends at once.
  const orphan = Number(execFileSync('/bin/sh', ['-c', 'sleep 60 > /dev/null 2>&1 & echo $!'], { encoding: 'utf8' }))
  try {
    await withTree(async (base) => {
      writeFileSync(join(base, 'cgroup.procs'), String(child.pid))
      assert.equal(await delegate(base, [controller]), base)
      assert.equal(readFileSync(join(base, 'cgroup.procs'), 'utf8'), '')
      const daemon = join(base, 'containerssh-daemon')
      assert.equal(readFileSync(join(daemon, 'cgroup.procs'), 'utf8'), `${child.pid}\n`)
      assert.equal(readFileSync(join(base, 'cgroup.subtree_control'), 'utf8').trim(), controller)
      assert.equal(await delegate(daemon, [controller]), base, 'a second worker, which begins in it')
      await assert.rejects(delegate(base, ['nosuch']), /has no controller for nosuch/)
      child.kill()
      await once(child, 'exit')
    })
    await withTree(async (base) => {
      writeFileSync(join(base, 'cgroup.procs'), String(orphan))
      try {
        await assert.rejects(delegate(base, [controller]), /has processes of others, such as/)
      } finally {
        process.kill(orphan, 'SIGKILL')
        await until('the end of it', () => readFileSync(join(base, 'cgroup.procs'), 'utf8') === '')
      }
    })
  } finally {
    child.kill()
    if (!wasOn) writeFileSync(parent, `-${controller}`)
  }
})

test('our own groups are found where they are mounted', () => {
  const mounts = [
    '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
    '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct',
    '35 31 0:32 /docker/abc /sys/fs/cgroup/mem\\040ory rw - cgroup cgroup rw,memory',
    '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
  ].join('\n')
  const groups = ['9:name=systemd:/x', '4:memory:/docker/abc/def', '1:cpu,cpuacct:/one', '0::/a:b/c', ''].join('\n')
  assert.deepEqual(parseHierarchies(groups, mounts), {
    unified: '/sys/fs/cgroup/unified/a:b/c',
    byController: new Map([
      ['memory', '/sys/fs/cgroup/mem ory/def'],
      ['cpu', '/sys/fs/cgroup/cpu,cpuacct/one'],
      ['cpuacct', '/sys/fs/cgroup/cpu,cpuacct/one'],
    ]),
  })
  const outside = parseHierarchies('4:memory:/docker/other\n0::/../up\n', mounts)
  assert.deepEqual(outside, { unified: undefined, byController: new Map() })
})
