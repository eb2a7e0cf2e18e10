import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { exec, run, talk } from '../../conformance/rig.ts'
import { until } from '../../rigs/daemon.ts'
import { kubernetesRoom, useCluster } from './rig.ts'

const bytes = Buffer.alloc(3 << 20, 'x')

describe('input for a program whose standard output goes elsewhere', { concurrency: 1 }, () => {
  const cluster = useCluster()

  for (const mode of ['connection', 'session'] as const) {
    test(`is whole (${mode} mode)`, async () => {
      await using rig = await kubernetesRoom(cluster, { mode })
      await using session = rig.enter()
      // The shell becomes the program, so that nobody has the first output any more.
      const { stdout, stderr, exit } = await run(session, 'exec wc -c >&2', bytes)
      assert.deepEqual([stdout, stderr.trim(), exit], ['', `${bytes.length}`, { kind: 'status', code: 0 }])
    })

    test(`and signals still reach the program, without a word of the shell around it (${mode} mode)`, async () => {
      await using rig = await kubernetesRoom(cluster, { mode })
      await using session = rig.enter()
      const channel = await talk(session, { keepOpen: true })
      await channel.start(exec('trap "echo told; exit 4" TERM; echo ready; while :; do read -r _; done'))
      await until('the program to be ready', () => channel.stdout.text.includes('ready'))
      await channel.ask({ kind: 'signal', name: 'TERM' })
      assert.deepEqual(await channel.exit, { kind: 'status', code: 4 })
      assert.deepEqual([channel.stdout.text, channel.stderr.text], ['ready\ntold\n', ''])
    })
  }
})
