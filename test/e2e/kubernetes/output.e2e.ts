/** Output that the cluster would cut: its client takes it slowly, and its program has long ended. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { exec, run, talk } from '../../conformance/rig.ts'
import { helper } from '../../guest/program.ts'
import { until } from '../../rigs/daemon.ts'
import { kubernetesRoom, useCluster } from './rig.ts'

const noShell = {
  image: 'containerssh-test/noshell:1',
  pod: { disableAgent: false, agentMode: 'inject', agentImage: 'containerssh-test/agent:1' },
}
const images = { shell: {}, agent: noShell } as const
/** More than all buffers between a pod and us. */
const bytes = 20_000_000

describe('the end of an output', { concurrency: 4 }, () => {
  before(helper)
  const cluster = useCluster()

  for (const mode of ['connection', 'session'] as const) {
    for (const [who, options] of Object.entries(images)) {
      const words = who === 'shell' ? 'head' : '/busybox head'
      test(`waits for a slow client (${mode} mode, the parent is the ${who})`, async () => {
        await using rig = await kubernetesRoom(cluster, { mode, ...options })
        await using session = rig.enter()
        // Longer than proxies of the cluster let some time pass between two looks at their connections.
        const counts = await Promise.all(
          [1, 2].map(async () => {
            const channel = await talk(session, { keepOutput: false })
            await channel.start(exec(`${words} -c ${bytes} /dev/zero`))
            let isOver = false
            const exit = channel.exit.finally(() => {
              isOver = true
            })
            while (!isOver) {
              channel.stdout.hold()
              await Promise.race([exit, sleep(3000)])
              channel.stdout.release()
              await sleep(30)
            }
            return [channel.stdout.bytes, await exit]
          }),
        )
        assert.deepEqual(
          counts,
          counts.map(() => [bytes, { kind: 'status', code: 0 }]),
        )
      })
    }
  }

  test('is said by a parent who then goes, also in a pod that goes on', async () => {
    const name = 'stays'
    const metadata = { namespace: 'default', name }
    const pod = { createMissingPods: true, metadata, idleCommand: ['sleep', '9999'] }
    await using rig = await kubernetesRoom(cluster, { mode: 'persistent', pod })
    await using session = rig.enter()
    const visit = async (): Promise<void> => {
      await using other = rig.enter()
      assert.deepEqual((await run(other, 'exit 3')).exit, { kind: 'status', code: 3 })
    }
    assert.deepEqual((await run(session, 'exit 3')).exit, { kind: 'status', code: 3 })
    const command = ['sh', '-c', 'ps | grep "[s]leep 3600"']
    const isLeft = async (): Promise<boolean> => {
      const spec = { container: 'shell', command, tty: false, stdin: false }
      const stream = await rig.api.exec({ namespace: 'default', name }, spec, AbortSignal.timeout(10_000))
      return new Promise((resolve) => {
        stream.read({
          data: () => undefined,
          status: ({ status }) => resolve(status === 'Success'),
          ended: () => undefined,
        })
      })
    }
    assert.ok(await isLeft(), 'a parent stays for a while')
    await visit()
    await until('the parents to go', async () => !(await isLeft()), 30_000)
  })

  test('is not taken from a list of processes, nor does it end a program that is killed', async () => {
    await using rig = await kubernetesRoom(cluster, {})
    await using session = rig.enter()
    const listed = await run(session, 'cat /proc/[0-9]*/cmdline; echo all of it; kill -KILL $$')
    assert.match(listed.stdout, /all of it\n$/)
    assert.deepEqual(listed.exit, { kind: 'signal', name: 'KILL', coreDumped: false, message: '' })
  })
})
