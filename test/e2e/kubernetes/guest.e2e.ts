/** Who helps with programs in a pod, step by step: the agent of the image, the injected one, a shell, nobody. */
import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { before, describe, test } from 'node:test'
import type { Session } from '../../../src/workers/ports.ts'
import { exec, pty, run, size, talk } from '../../conformance/rig.ts'
import { helper } from '../../guest/program.ts'
import { until } from '../../rigs/daemon.ts'
import { startApiProxy } from '../../rigs/kubernetes/api-proxy.ts'
import {
  inRoom,
  type KubernetesOptions,
  type KubernetesRig,
  kubernetesRoom,
  nothing,
  refusal,
  useCluster,
} from './rig.ts'

const noShell = 'containerssh-test/noshell:1'
const agentImage = 'containerssh-test/agent:1'
const limit = (): AbortSignal => AbortSignal.timeout(60_000)
const origin = { address: '192.0.2.9', port: 9 }
const modes = (rig: KubernetesRig) =>
  rig.records.filter(({ code }) => code === 'KUBERNETES_GUEST_MODE').map((line) => line.labels['agentMode'])
/** As operators have it who configure nothing about the guest. */
const plain = { disableAgent: false }
/** None that was built on this machine. */
const noBinary = { agentBinary: { amd64: '/no/such/helper', arm64: '/no/such/helper' } }

describe('who helps in a pod', { concurrency: 3 }, () => {
  before(helper)
  const cluster = useCluster()
  const within = (options: KubernetesOptions, task: (rig: KubernetesRig, session: Session) => Promise<void>) =>
    inRoom(cluster, options, task)

  for (const mode of ['connection', 'session'] as const) {
    test(`an image without the agent is served by its shell, which is found out once (${mode} mode)`, () =>
      within({ mode, pod: plain }, async (rig, session) => {
        const first = await run(session, 'echo on')
        const second = await run(session, 'echo on')
        assert.deepEqual([first.stdout, first.stderr, second.stdout], ['on\n', '', 'on\n'])
        assert.ok(modes(rig).every((one) => one === 'shell'))
        const other = rig.enter()
        const before = rig.codes().filter((code) => code === 'KUBERNETES_POD_CREATE').length
        assert.equal((await run(other, 'echo on')).stdout, 'on\n')
        assert.equal(rig.codes().filter((code) => code === 'KUBERNETES_POD_CREATE').length, before + 1)
        await other[Symbol.asyncDispose]()
      }))
  }

  test('the agent is brought into a pod with a shell when somebody needs it, and not before', () =>
    within({ pod: plain }, async (rig, session) => {
      assert.equal((await run(session, 'ls -A /.containerssh')).stdout, '')
      const socket = { kind: 'unix', path: '/tmp/door.sock' } as const
      const listening = await session.listen(socket, (_door, stream) => void stream.pipe(stream), limit())
      assert.ok(listening.accepted, listening.accepted ? '' : listening.fault.message)
      const dialled = await session.dial(socket, origin, limit())
      assert.ok(dialled.accepted)
      dialled.value.end('there and back')
      assert.equal(await text(dialled.value), 'there and back')
      assert.equal((await run(session, 'ls -A /.containerssh')).stdout, 'agent\n')
      assert.deepEqual(modes(rig), ['shell'])
    }))

  test('a port of the pod is reached through the API server where nobody in it can help', () =>
    within(
      { image: noShell, pod: { agentMode: 'none', idleCommand: ['/busybox', 'sleep', '1000'] } },
      async (_, session) => {
        const server = await talk(session, { keepOpen: true })
        await server.start(exec('/busybox nc -ll -p 7 -e /busybox cat'))
        const dialled = await until('a connection', async () => {
          const verdict = await session.dial({ kind: 'tcp', host: 'localhost', port: 7 }, origin, limit())
          return verdict.accepted ? verdict.value : undefined
        })
        const bytes = 'there and back\n'.repeat(20_000)
        let heard = ''
        dialled.setEncoding('latin1').on('data', (part: string) => {
          heard += part
        })
        dialled.write(bytes)
        await until('all of it', () => heard.length === bytes.length)
        assert.ok(heard === bytes)
        dialled.destroy()
        const refused = await session.dial({ kind: 'tcp', host: '127.0.0.1', port: 9 }, origin, limit())
        assert.equal(!refused.accepted && refused.fault.code, 'SSH_FORWARD_CONNECT_FAILED')
      },
    ))

  test('SFTP keeps to its folder, read-only, in an image without a shell and in one with', async () => {
    const sftp = { root: '/etc', readOnly: true }
    // draft-ietf-secsh-filexfer-02: INIT, then OPEN of /file for writing (sections 4 and 6.3).
    const init = '000000050100000003'
    const open = '000000160300000001000000052f66696c650000000a00000000'
    // SSH_FXP_STATUS of that request: SSH_FX_PERMISSION_DENIED (section 7).
    const denied = '650000000100000003'
    const isRefused = async (session: Session): Promise<void> => {
      const channel = await talk(session, { input: Buffer.from(init + open, 'hex'), keepOpen: true })
      await channel.start({ kind: 'subsystem', name: 'sftp' })
      await until('a refusal', () => Buffer.from(channel.stdout.text).toString('hex').includes(denied))
      channel.stdin.end()
      await channel.exit
    }
    await within({ image: noShell, pod: { agentMode: 'inject', agentImage, sftp } }, (_rig, session) =>
      isRefused(session),
    )
    await within({ pod: { ...plain, sftp } }, async (rig, session) => {
      await isRefused(session)
      assert.deepEqual(modes(rig), ['shell'])
    })
  })

  test('an agent that must be injected and cannot be refuses the login, and leaves nothing', async () => {
    const start = (pod: object, image?: string) =>
      within(
        { ...(image !== undefined && { image }), pod: { ...plain, agentMode: 'inject', ...pod } },
        async (_, session) => {
          assert.equal(await refusal(session), 'KUBERNETES_AGENT_INJECT_FAILED')
        },
      )
    await start(noBinary)
    await start({}, noShell)
  })

  test('an image in which nothing can idle is refused with what to do about it', () =>
    within({ image: noShell, pod: { ...plain, agentMode: 'auto' } }, async (rig, session) => {
      assert.equal(await refusal(session), 'KUBERNETES_POD_CREATE_FAILED')
      const { labels } = await rig.logged('KUBERNETES_POD_CREATE_FAILED')
      assert.match(String(labels['reason']), /neither the guest agent nor a shell.*agentImage/)
      await rig.logged('KUBERNETES_POD_WAIT_FAILED', ({ level }) => level === 'debug')
    }))

  test('a signal to a program whose agent does not tell its number, and a size after its end, are refused', async () => {
    const slow = `#!/bin/sh\nif [ "$1" = console ]; then sleep 1000; fi\nexec sleep 1000\n`
    const volumeMounts = [{ name: 'agent', mountPath: '/agent' }]
    const image = 'containerssh-test/busybox:1'
    const command = ['sh', '-c', 'printf "$1" > /agent/slow; chmod 755 /agent/slow', 'sh', slow]
    const spec = {
      volumes: [{ name: 'agent', emptyDir: {} }],
      initContainers: [{ name: 'init', image, command, volumeMounts }],
      containers: [{ name: 'shell', image, volumeMounts }],
    }
    const pod = { ...plain, agentMode: 'image', agentPath: '/agent/slow', idleCommand: ['sleep', '1000'], spec }
    await within({ pod, timeouts: { signal: 500 } }, async (_rig, session) => {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(exec('true'))
      const verdict = await channel.ask({ kind: 'signal', name: 'TERM' })
      assert.equal(!verdict.accepted && verdict.fault.code, 'KUBERNETES_SIGNAL_FAILED_NO_PID')
      await channel.channel[Symbol.asyncDispose]()
    })
    await within({}, async (_rig, session) => {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(pty(80, 24))
      await channel.start(exec('exit 3'))
      assert.deepEqual(await channel.exit, { kind: 'status', code: 3 })
      const verdict = await channel.ask({ kind: 'window-change', size: size(100, 40) })
      assert.equal(!verdict.accepted && verdict.fault.code, 'KUBERNETES_EXEC_RESIZE_FAILED')
    })
  })

  test('a pod that somebody else has made gets the agent when it is needed', async () => {
    const named = { metadata: { namespace: 'default', name: 'theirs' } }
    const rig = await kubernetesRoom(cluster, { mode: 'persistent', pod: { ...plain, ...named } })
    const containers = [{ name: 'shell', image: 'containerssh-test/busybox:1', command: ['sleep', '1000'] }]
    await rig.api.createPod('default', { metadata: { name: 'theirs' }, spec: { containers } }, limit())
    const session = rig.enter()
    assert.equal((await run(session, 'echo on')).stdout, 'on\n')
    const door = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const
    const listening = await session.listen(door, () => undefined, limit())
    assert.ok(listening.accepted, listening.accepted ? '' : listening.fault.message)
    await session[Symbol.asyncDispose]()
    await rig.api.deletePod({ namespace: 'default', name: 'theirs' }, 0, limit())
    await rig[Symbol.asyncDispose]()
  })

  test('with an API server that cannot tell the end of input a program goes on, and files arrive all the same', async () => {
    await using proxy = await startApiProxy(cluster, [{ match: /\/exec\?/, protocol: 'v4.channel.k8s.io' }])
    const files = new Map([['/home/made/file.txt', { value: Buffer.alloc(100_000, 'x'), sensitive: false }]])
    const connection = { ...nothing, host: proxy.url }
    await within({ connection, member: { files }, pod: plain }, async (rig, session) => {
      const channel = await talk(session, { input: 'a line\n' })
      await channel.start(exec('wc -c < /home/made/file.txt; read -r line; echo "$line"; exit 6'))
      assert.deepEqual(await channel.exit, { kind: 'status', code: 6 })
      assert.equal(channel.stdout.text, '100000\na line\n')
      await rig.logged('KUBERNETES_INPUT_NOT_ENDED')
      // The agent, too.
      const listening = await session.listen({ kind: 'unix', path: '/tmp/x' }, () => undefined, limit())
      assert.ok(listening.accepted, listening.accepted ? '' : listening.fault.message)
    })
  })
})
