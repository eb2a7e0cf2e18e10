/** Limits of a sandbox, one by one: each bites, is told, and nothing is left of the control group in the end. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { run } from '../rig.ts'
import { type SandboxRig, sandboxRoom } from './rig.ts'

const mebibyte = 2 ** 20
const perl = (script: string): string => `perl -e '${script}'`

/** Folders of control groups of the rig's owner. */
const groupsOf = ({ identity }: SandboxRig): string[] =>
  ['/sys/fs/cgroup', '/sys/fs/cgroup/*', '/sys/fs/cgroup/*/process_api/*', '/sys/fs/cgroup/*/*'].flatMap((folder) =>
    globSync(`${folder}/containerssh.*.${identity.owner}.*`),
  )

interface Ended {
  readonly out: string
  readonly err: string
  readonly exit: unknown
  readonly rig: SandboxRig
}

async function within(limits: object, script: string, section: object = {}): Promise<Ended> {
  const rig = await sandboxRoom({ limits, ...section })
  try {
    const session = rig.enter()
    const { stdout, stderr, exit } = await run(session, script)
    await session[Symbol.asyncDispose]()
    assert.deepEqual(groupsOf(rig), [])
    return { out: stdout, err: stderr, exit, rig }
  } finally {
    await rig[Symbol.asyncDispose]()
  }
}

const hasGroups = existsSync('/sys/fs/cgroup/memory/tasks') || existsSync('/sys/fs/cgroup/cgroup.procs')

for (const tool of ['bwrap', 'unshare']) {
  describe(`in a sandbox that ${tool} made`, { concurrency: 1 }, () => {
    test('files are bounded by their number, in /dev/shm, too', async () => {
      const script =
        'for d in /tmp /dev/shm; do i=0; while : > $d/$i; do i=$((i+1)); done 2>&1 | tail -1; ls $d | wc -l; done'
      const { out } = await within({ inodes: 1024 }, `bash -c '${script}'`, { tool })
      const [first = '', here = '', second = '', there = ''] = out.trim().split('\n')
      for (const said of [first, second]) assert.match(said, /No space left on device/)
      for (const count of [here, there]) assert.ok(Number(count) > 900 && Number(count) < 1024, out)
    })
    test('files are bounded by their size', async () => {
      const { err } = await within({ disk: 4 * mebibyte }, 'head -c 8M /dev/zero > /tmp/full', { tool })
      assert.match(err, /No space left/)
    })
    test('open files are bounded', async () => {
      const { out } = await within(
        { openFiles: 256 },
        'ulimit -Hn; bash -c "exec {a}<&0; for i in {1..300}; do exec {a}<&0 || exit; done" 2>&1 | tail -1',
        { tool },
      )
      assert.match(out, /^256\n.*Too many open files/s)
    })
    test('a process has its processor time', async () => {
      const { exit } = await within({ cpuTime: 1000 }, 'exec sh -c "while :; do :; done"', {
        tool,
        controlGroups: 'off',
      })
      assert.deepEqual(exit, { kind: 'signal', name: 'KILL', coreDumped: false, message: '' })
    })
    test('processes are bounded by their number without a control group, too', async () => {
      const script = "dash -c 'i=0; while test $i -lt 100; do sleep 20 & i=$((i+1)); echo $i; done'"
      for (const controlGroups of ['off', 'auto']) {
        const { out, err } = await within({ pids: 20 }, script, { tool, controlGroups })
        assert.match(err, /Cannot fork/)
        const count = out.trim().split('\n').length
        assert.ok(count > 10 && count < 50, String(count))
      }
    })
    test('without control groups it is told which limits are those of processes', async () => {
      const { rig } = await within({ cpuTime: 1000 }, 'true', { tool, controlGroups: 'off' })
      const [told, ...more] = rig.records.filter(({ code }) => code === 'SANDBOX_LIMITS_PER_PROCESS')
      assert.deepEqual(more, [])
      assert.equal(told?.level, 'warning')
      assert.equal(told?.labels['limits'], 'memory, pids, cpuTime')
    })
  })

  describe(`in the control group of a sandbox that ${tool} made`, {
    concurrency: 1,
    skip: !hasGroups && 'no control groups to write to',
  }, () => {
    test('many processes share the memory; who goes beyond it is killed, and his user is told', async () => {
      // 40 times 16 MiB: none of them is near the limit, all of them are. A shell ends so whose last program was killed.
      const one = perl('$x = "x" x (16 << 20); sleep 3')
      const { out, err, rig } = await within(
        { memory: 128 * mebibyte, disk: mebibyte },
        `for i in $(seq 40); do ${one} & done; wait; exit 137`,
        { tool },
      )
      assert.equal(out, '')
      assert.match(err, /the sandbox has run out of memory, and a program in it was killed/)
      assert.ok(rig.codes().includes('SANDBOX_OUT_OF_MEMORY'))
      assert.ok(!rig.codes().includes('SANDBOX_LOST'), rig.codes().join(' '))
    })
    test('shared memory counts; a program that was killed for it ended by KILL', async () => {
      const script = 'import mmap; m = mmap.mmap(-1, 300 << 20); [m.write(b"x" * (1 << 20)) for i in range(300)]'
      const { exit, err } = await within({ memory: 128 * mebibyte }, `exec python3 -c '${script}'`, { tool })
      assert.match(err, /the sandbox has run out of memory/)
      const message = 'the sandbox ran out of memory'
      assert.deepEqual(exit, { kind: 'signal', name: 'KILL', coreDumped: false, message })
    })
    test('all processes together have their processor time', async () => {
      const { err, rig } = await within(
        { cpuTime: 2000 },
        'for i in 1 2 3 4; do sh -c "while :; do :; done" & done; wait',
        { tool },
      )
      assert.match(err, /the processor time of the session is used up/)
      assert.ok(rig.codes().includes('SANDBOX_CPU_TIME_SPENT'))
    })
    test('everything runs in it, and it has its share of a processor', async () => {
      const rig = await sandboxRoom({ tool, limits: { cpuPercent: 50 } })
      const session = rig.enter()
      const { stdout } = await run(session, 'cat /proc/self/cgroup')
      // What is not named has no group of ours.
      const lines = stdout.split('\n').filter((line) => /memory|pids|cpu,|cpu:|^0::/.test(line))
      assert.ok(lines.length > 0)
      for (const line of lines) assert.match(line, /:\/$/, 'the group is the root of the namespace')
      const groups = groupsOf(rig)
      assert.ok(groups.length > 0)
      for (const folder of groups) assert.notEqual(readFileSync(join(folder, 'cgroup.procs'), 'utf8'), '', folder)
      const quotas = groups.flatMap((folder) =>
        ['cpu.cfs_quota_us', 'cpu.max'].flatMap((name) =>
          existsSync(join(folder, name)) ? [readFileSync(join(folder, name), 'utf8').trim()] : [],
        ),
      )
      assert.match(quotas.join(), /^50000/)
      await session[Symbol.asyncDispose]()
      await rig[Symbol.asyncDispose]()
      assert.deepEqual(groupsOf(rig), [])
    })
  })
}
