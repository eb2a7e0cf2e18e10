import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Session } from '../../../src/workers/ports.ts'
import { exec, run, talk } from '../../conformance/rig.ts'
import { until } from '../../rigs/daemon.ts'
import {
  inRoom as inRoomOf,
  type KubernetesOptions,
  type KubernetesRig,
  kubernetesRoom,
  refusal,
  useCluster,
} from './rig.ts'

const busybox = 'containerssh-test/busybox:1'
const limit = (): AbortSignal => AbortSignal.timeout(30_000)
const metadata = { namespace: 'default', generateName: 'room-' }

describe('a kubernetes room in trouble', { concurrency: 1 }, () => {
  const cluster = useCluster()

  const inRoom = (options: KubernetesOptions, task: (rig: KubernetesRig, session: Session) => Promise<void>) =>
    inRoomOf(cluster, options, task)

  test('a certificate without its key is an error of the configuration', async () => {
    await assert.rejects(kubernetesRoom(cluster, { connection: { keyFile: '' } }), /cert and key together/)
  })

  test('a wrong token is refused at once, with the status of the API server', () =>
    inRoom({ connection: { certFile: '', keyFile: '', bearerToken: 'wrong' } }, async (rig, session) => {
      assert.equal(await refusal(session), 'KUBERNETES_POD_CREATE_FAILED')
      const { labels } = await rig.logged('KUBERNETES_POD_CREATE_FAILED')
      assert.deepEqual([labels['statusCode'], labels['attempt']], [401, 1])
    }))

  test('a right that is missing is named', async () => {
    const account = `system:serviceaccount:default:default`
    await inRoom(
      { connection: { certFile: '', keyFile: '', bearerToken: await cluster.admin.token('default') } },
      async (rig, session) => {
        assert.equal(await refusal(session), 'KUBERNETES_POD_CREATE_FAILED')
        const { labels } = await rig.logged('KUBERNETES_POD_CREATE_FAILED')
        assert.equal(labels['statusCode'], 403)
        assert.match(String(labels['reason']), new RegExp(`${account}.* cannot create resource "pods"`))
      },
    )
  })

  test('an image that cannot be pulled ends the login with the reason, and the pod is removed', () =>
    inRoom({ image: '127.0.0.1:1/nothing:1' }, async (rig, session) => {
      assert.equal(await refusal(session), 'KUBERNETES_POD_WAIT_FAILED')
      const { labels } = await rig.logged('KUBERNETES_POD_WAIT_FAILED')
      assert.match(String(labels['reason']), /ErrImagePull|ImagePullBackOff/)
      await rig.logged('KUBERNETES_POD_REMOVE_SUCCESSFUL')
    }))

  test('a pod that no node has room for is given up when the time is over, with the reason', () => {
    const resources = { requests: { memory: '100Ti' } }
    const spec = { containers: [{ name: 'shell', image: busybox, resources }] }
    return inRoom({ pod: { spec }, timeouts: { podStart: 3000 } }, async (rig, session) => {
      assert.equal(await refusal(session), 'KUBERNETES_POD_WAIT_FAILED')
      assert.match(String((await rig.logged('KUBERNETES_POD_WAIT_FAILED')).labels['reason']), /Unschedulable: .*memory/)
    })
  })

  test('a user whose name no label can hold gets a pod without that label', () => {
    const authenticatedUsername = 'a'.repeat(80)
    return inRoom({ member: { authenticatedUsername } }, async (rig, session) => {
      assert.deepEqual((await run(session, 'exit 3')).exit, { kind: 'status', code: 3 })
      await rig.logged('KUBERNETES_USERNAME_TOO_LONG')
    })
  })

  test('files are in the pod before the first program, and one that cannot be written is told', () => {
    const files = new Map([
      ['/home/made/secret.txt', { value: Buffer.from('for you alone'), sensitive: true }],
      ['/proc/nowhere', { value: Buffer.from('x'), sensitive: false }],
    ])
    return inRoom({ member: { files } }, async (rig, session) => {
      const { stdout } = await run(session, 'cat /home/made/secret.txt; stat -c %a /home/made/secret.txt')
      assert.equal(stdout, 'for you alone600\n')
      const failed = await rig.logged('KUBERNETES_FILE_WRITE_FAILED')
      assert.equal(failed.labels['file'], '/proc/nowhere')
    })
  })

  test('what the login knows reaches programs under the names of the configuration', () => {
    const member = {
      metadata: new Map([['team', { value: 'red & blue', sensitive: false }]]),
      environment: new Map([['LANG', { value: 'C', sensitive: false }]]),
    }
    const pod = {
      exposeAuthMetadataAsEnv: { team: 'TEAM' },
      exposeAuthMetadataAsAnnotations: { team: 'example.org/team' },
    }
    return inRoom({ member, pod: { ...pod, metadata } }, async (_rig, session) => {
      assert.equal((await run(session, 'echo "$TEAM, $LANG"')).stdout, 'red & blue, C\n')
    })
  })

  test('a persistent pod that does not exist is an error, unless it may be made; then it stays', async () => {
    const named = { metadata: { namespace: 'default', name: 'stays' } }
    await inRoom({ mode: 'persistent', pod: named }, async (_rig, session) => {
      assert.equal(await refusal(session), 'KUBERNETES_POD_NOT_FOUND')
    })
    const pod = { ...named, createMissingPods: true }
    await inRoom({ mode: 'persistent', pod }, async (_rig, session) => {
      assert.deepEqual((await run(session, 'echo here > /tmp/left')).exit, { kind: 'status', code: 0 })
    })
    await inRoom({ mode: 'persistent', pod }, async (rig, session) => {
      assert.equal((await run(session, 'cat /tmp/left')).stdout, 'here\n')
      await rig.api.deletePod({ namespace: 'default', name: 'stays' }, 0, limit())
    })
  })

  test('a pod that is deleted under a program ends it, and never with status 0', () =>
    inRoom({}, async (rig, session) => {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(exec('echo ready; sleep 100'))
      await until('ready', () => channel.stdout.text.includes('ready'))
      const [name = ''] = await rig.containers()
      await rig.api.deletePod({ namespace: 'default', name }, 0, limit())
      const exit = await channel.exit
      assert.notDeepEqual(exit, { kind: 'status', code: 0 })
    }))

  // A cluster of somebody else is left alone.
  if ((process.env['KUBECONFIG'] ?? '') === '') {
    test('a node that is not ready: its programs end with an error, new ones wait in vain, and all is removed when it is back', async () => {
      const { own } = cluster
      if (own === undefined) throw new Error('the cluster is not ours')
      const node = '/api/v1/nodes/localhost'
      const isTainted = async (): Promise<boolean> =>
        (await cluster.admin.ask('GET', node)).spec.taints?.some(
          ({ effect }: { effect: string }) => effect === 'NoSchedule',
        ) === true
      await inRoom({}, async (rig, session) => {
        const channel = await talk(session, { keepOpen: true })
        await channel.start(exec('sleep 6; echo ready; sleep 100'))
        await until('ready', () => channel.stdout.text.includes('ready'))
        await own.kill('kubelet')
        assert.notDeepEqual(await channel.exit, { kind: 'status', code: 0 })
        await rig.logged('KUBERNETES_PROGRAM_LOST')
        // What the node controller does, but only when it has not heard of the kubelet for 40 s.
        const condition = { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }
        await cluster.admin.ask('PATCH', `${node}/status`, { status: { conditions: [condition] } })
        await until('the taint', isTainted)
        const late = await kubernetesRoom(cluster, { timeouts: { podStart: 3000 } })
        const second = late.enter()
        assert.equal(await refusal(second), 'KUBERNETES_POD_WAIT_FAILED')
        const { labels } = await late.logged('KUBERNETES_POD_WAIT_FAILED')
        assert.equal(labels['why'], 'no node of the cluster can take it')
        assert.match(String(labels['reason']), /Unschedulable: .*node\.kubernetes\.io\/unreachable/)
        await second[Symbol.asyncDispose]()
        await late[Symbol.asyncDispose]()
        assert.deepEqual(await late.containers(), [])
        await own.start('kubelet')
        await until('the node', async () => !(await isTainted()), 60_000)
      })
      const all = async (): Promise<number> =>
        (await cluster.admin.ask('GET', '/api/v1/namespaces/default/pods')).items.length
      await until('no pod', async () => (await all()) === 0, 60_000)
    })

    test('when the API server dies programs end with an error, and when it is back there are sessions again', async () => {
      const { own } = cluster
      if (own === undefined) throw new Error('the cluster is not ours')
      await inRoom({}, async (rig, session) => {
        const channel = await talk(session, { keepOpen: true })
        await channel.start(exec('echo ready; sleep 100'))
        await until('ready', () => channel.stdout.text.includes('ready'))
        await own.kill('apiserver')
        assert.notDeepEqual(await channel.exit, { kind: 'status', code: 0 })
        await rig.logged('KUBERNETES_EXIT_CODE_FAILED', ({ level }) => level === 'error')
        await own.start('apiserver')
      })
      await inRoom({}, async (_rig, session) => {
        assert.deepEqual((await run(session, 'exit 4')).exit, { kind: 'status', code: 4 })
      })
    })
  }
})
