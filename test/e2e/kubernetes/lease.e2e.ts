/** Daemons on one namespace that see nothing of each other but what they keep in the cluster. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { run } from '../../conformance/rig.ts'
import { type Daemon, startDaemon, until } from '../../rigs/daemon.ts'
import { connectionTo } from '../../rigs/kubernetes/connection.ts'
import { uniqueUser } from '../../rigs/login.ts'
import { client, finish, makeKey } from '../../rigs/ssh.ts'
import { kubernetesRoom, useCluster } from './rig.ts'

const busybox = 'containerssh-test/busybox:1'
const limit = (): AbortSignal => AbortSignal.timeout(30_000)
const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases'
/** Of a process on another machine. */
const stranger = (digit: string): string => `${digit.repeat(12)}-${digit.repeat(8)}-1-1-1`

describe('leases', { concurrency: 1 }, () => {
  const cluster = useCluster()
  const makePod = async (owner: string, labels: object = {}): Promise<string> => {
    const pod = await cluster.admin.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { generateName: 'left-', labels: { containerssh_owner: owner, ...labels } },
      spec: { containers: [{ name: 'shell', image: busybox, command: ['sleep', '1000'] }] },
    })
    return pod.metadata.name
  }
  const makeLease = (owner: string): Promise<unknown> =>
    cluster.admin.create({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: `containerssh-${owner}`, labels: { containerssh_owner: owner } },
      spec: { holderIdentity: owner, leaseDurationSeconds: 2, renewTime: '2020-01-01T00:00:00.000000Z' },
    })
  const podsOf = async (selector: string): Promise<string[]> => {
    const { items } = await cluster.admin.ask('GET', `/api/v1/namespaces/default/pods?labelSelector=${selector}`)
    return items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)
  }

  test('pods go when nobody renews the lease any more, or holds one; the clock of the other machine does not matter', async () => {
    const [renews, ended, lost, unknown] = ['1', '2', '3', '4'].map(stranger) as [string, string, string, string]
    for (const owner of [renews, ended]) await makeLease(owner)
    const stay = [await makePod(renews), await makePod(unknown)]
    const go = [await makePod(ended), await makePod(lost, { containerssh_leased: '1' })]
    const renewals = setInterval(() => {
      const body = { metadata: { annotations: { renewed: String(Math.random()) } } }
      cluster.admin.ask('PATCH', `${leases}/containerssh-${renews}`, body).catch(() => undefined)
    }, 200)
    const rig = await kubernetesRoom(cluster, { kubernetes: { leaseDuration: 2000 } })
    try {
      const session = rig.enter()
      await run(session, 'true')
      await until('those that nobody speaks for to go', async () => {
        await rig.backend.reap(limit())
        const left = await podsOf('containerssh_owner')
        return go.every((name) => !left.includes(name))
      })
      const left = await podsOf('containerssh_owner')
      assert.ok(stay.every((name) => left.includes(name)))
      assert.equal((await rig.containers()).length, 1)
      const names = (await cluster.admin.ask('GET', leases)).items.map(
        ({ metadata }: { metadata: { name: string } }) => metadata.name,
      )
      assert.ok(!names.includes(`containerssh-${ended}`))
      assert.ok(names.includes(`containerssh-${renews}`))
      await session[Symbol.asyncDispose]()
    } finally {
      clearInterval(renewals)
      await rig[Symbol.asyncDispose]()
    }
  })

  test('who may not hold a lease is told so once, and serves all the same', async () => {
    await cluster.admin.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'leaseless' } })
    const rbac = 'rbac.authorization.k8s.io'
    await cluster.admin.create({
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata: { name: 'leaseless' },
      rules: [
        { apiGroups: [''], resources: ['pods', 'pods/exec'], verbs: ['create', 'get', 'list', 'watch', 'delete'] },
      ],
    })
    await cluster.admin.create({
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata: { name: 'leaseless' },
      roleRef: { apiGroup: rbac, kind: 'Role', name: 'leaseless' },
      subjects: [{ kind: 'ServiceAccount', name: 'leaseless', namespace: 'default' }],
    })
    const connection = { certFile: '', keyFile: '', bearerToken: await cluster.admin.token('leaseless') }
    const rig = await kubernetesRoom(cluster, { connection, kubernetes: { leaseDuration: 2000 } })
    const session = rig.enter()
    assert.deepEqual((await run(session, 'exit 3')).exit, { kind: 'status', code: 3 })
    const { labels } = await rig.logged('KUBERNETES_LEASE_FAILED')
    assert.equal(labels['statusCode'], 403)
    const [pod] = await rig.api.listPods('default', `containerssh_owner=${rig.identity.owner}`, limit())
    assert.equal(pod?.metadata.labels?.['containerssh_leased'], undefined)
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  })

  test('a daemon killed with -9 while 20 sessions run: the one on another machine removes their pods and no other', async () => {
    const user = uniqueUser()
    using key = makeKey()
    const config = {
      ssh: { listen: '127.0.0.1:0', penalties: { enable: false } },
      auth: { users: [{ name: user, authorizedKeys: [key.line] }] },
      backend: 'kubernetes',
      workers: 2,
      kubernetes: {
        connection: connectionTo(cluster),
        pod: {
          disableAgent: true,
          shellCommand: ['/bin/sh'],
          metadata: { namespace: 'default', generateName: 'kill-' },
          spec: { containers: [{ name: 'shell', image: busybox }] },
        },
        leaseDuration: '4s',
      },
    }
    const doomed = await startDaemon(config)
    // A machine of its own, as far as a daemon can tell: its name is another one.
    const away = ['unshare', '--uts', 'sh', '-c', 'hostname elsewhere.example && exec "$@"', 'sh']
    await using other = await startDaemon(config, { through: away })
    const start = async (daemon: Daemon, count: number) => {
      const sessions = Array.from({ length: count }, () => {
        const ssh = client(daemon.port, key, user).start(['echo up; cat; exit 11'])
        const up = new Promise((resolve) => ssh.stdout.once('data', resolve))
        return { ssh, up, ended: new Promise((resolve) => ssh.once('close', resolve)) }
      })
      await Promise.all(sessions.map(({ up }) => up))
      return sessions
    }
    const ours = await start(other, 2)
    const own = new Set(await podsOf(`containerssh_username=${user}`))
    const theirs = await start(doomed, 20)
    assert.equal((await podsOf(`containerssh_username=${user}`)).length, 22)
    for (const pid of [doomed.pid, ...doomed.workers()]) process.kill(pid, 'SIGKILL')
    await doomed.exited
    await Promise.all(theirs.map(({ ended }) => ended))
    await until(
      'the pods of the dead to go',
      async () => (await podsOf(`containerssh_username=${user}`)).length === 2,
      60_000,
    )
    assert.deepEqual(new Set(await podsOf(`containerssh_username=${user}`)), own)
    const reaped = other.lines.filter(({ code }) => code === 'KUBERNETES_REAPED')
    assert.equal(new Set(reaped.map(({ details }) => details['podName'])).size, 20)
    for (const { ssh } of ours) assert.equal((await finish(ssh)).code, 11)
    await until('the last pods to go', async () => (await podsOf(`containerssh_username=${user}`)).length === 0)
  })
})
