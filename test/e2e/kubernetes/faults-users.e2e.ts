/** What a user with a real client sees of a cluster in trouble: a sentence, an exit status, and nothing stays behind. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { until } from '../../rigs/daemon.ts'
import { type Finished, finish } from '../../rigs/ssh.ts'
import { type KubernetesLogin, kubernetesLogin } from './login.ts'
import { useCluster } from './rig.ts'

const pods = '/api/v1/namespaces/default/pods'
const quotas = '/api/v1/namespaces/default/resourcequotas'
/** OpenSSH's client prints why a channel cannot be opened when it is told to say more. */
const aloud = { options: ['-v'] }

const busybox = 'containerssh-test/busybox:1'

describe('a user of a cluster in trouble', { concurrency: 1 }, () => {
  const cluster = useCluster()
  const failed = ({ code, stderr }: Finished, sentence: RegExp): void => {
    assert.notEqual(code, 0)
    assert.match(stderr, sentence)
  }
  const lost = (login: KubernetesLogin, reason: RegExp) =>
    login.daemon.line('KUBERNETES_PROGRAM_LOST', ({ details }) => reason.test(String(details['reason'])))

  for (const mode of ['connection', 'session'] as const) {
    test(`mode ${mode}: who is evicted, or whose pod is deleted, in the middle of a program is told so`, async () => {
      await using login = await kubernetesLogin(cluster, { pod: podOf(mode) })
      const evicted = await busy(login)
      await cluster.admin.ask('POST', `${pods}/${evicted.name}/eviction`, {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name: evicted.name, namespace: 'default' },
      })
      failed(await evicted.end, /\r\nthe pod was evicted\r\n/)
      await lost(login, /EvictionByEvictionAPI/)
      await login.noPods()
      const deleted = await busy(login)
      await cluster.admin.ask('DELETE', `${pods}/${deleted.name}`)
      failed(await deleted.end, /\r\nthe pod was deleted\r\n/)
      await lost(login, /^the pod was deleted$/)
      await login.noPods()
    })

    test(`mode ${mode}: a quota that is used up is named to the operator, and the user knows that it is not his fault`, async () => {
      await using login = await kubernetesLogin(cluster, { pod: podOf(mode) })
      const spec = { hard: { pods: '0' } }
      await cluster.admin.create({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'full-house' }, spec })
      const hard = async (): Promise<unknown> => (await cluster.admin.ask('GET', `${quotas}/full-house`)).status?.hard
      await until('the quota', async () => (await hard()) !== undefined)
      try {
        failed(await login.client.run(['true'], aloud), /The pod cannot be made: the quota of the cluster is used up/)
      } finally {
        await cluster.admin.ask('DELETE', `${quotas}/full-house`)
      }
      const { details, level } = await login.daemon.line('KUBERNETES_POD_CREATE_FAILED')
      assert.equal(level, 'error')
      assert.match(String(details['reason']), /exceeded quota: full-house, .*pods=1/)
      await login.noPods()
    })

    test(`mode ${mode}: an image that cannot be pulled is told to the user, and named to the operator`, async () => {
      await using login = await kubernetesLogin(cluster, { pod: podOf(mode, '127.0.0.1:1/nothing:1') })
      failed(await login.client.run(['true'], aloud), /The pod did not start: its image cannot be pulled/)
      const { details } = await login.daemon.line('KUBERNETES_POD_WAIT_FAILED')
      assert.match(String(details['reason']), /127\.0\.0\.1:1\/nothing:1/)
      await login.noPods()
    })
  }

  test('a limit of memory holds, and who exceeds it is told', async () => {
    const resources = { limits: { memory: '32Mi', cpu: '1' }, requests: { memory: '16Mi', cpu: '1m' } }
    await using login = await kubernetesLogin(cluster, { pod: podOf('session', busybox, resources) })
    failed(await login.client.run(['exec tail -c 200m /dev/zero']), /\r\nthe pod has run out of memory/)
    await login.noPods()
  })

  // A cluster of somebody else is left alone.
  if ((process.env['KUBECONFIG'] ?? '') === '') {
    test('when the API server is restarted programs end with a sentence, and logins wait until it is back', async () => {
      const { own } = cluster
      if (own === undefined) throw new Error('the cluster is not ours')
      await using login = await kubernetesLogin(cluster, { pod: podOf('connection') })
      const { end } = await busy(login)
      await own.kill('apiserver')
      failed(await end, /\r\nthe connection to the cluster broke/)
      await login.daemon.line('KUBERNETES_EXIT_CODE_FAILED', ({ level }) => level === 'error')
      const waiting = login.client.run(['exit 5'])
      await login.daemon.line('KUBERNETES_POD_CREATE_FAILED', ({ level }) => level === 'debug')
      await own.start('apiserver')
      assert.equal((await waiting).code, 5)
      await login.noPods()
    })
  }
})

/** A program that runs, and the name of its pod. */
async function busy(login: KubernetesLogin): Promise<{ name: string; end: Promise<Finished> }> {
  const ssh = login.client.start(['echo ready; sleep 1000'])
  let said = ''
  ssh.stdout.on('data', (bytes: Buffer) => {
    said += bytes.toString()
  })
  const end = finish(ssh)
  await until('the program', () => said === 'ready\n', 60_000)
  const [name = ''] = await login.pods()
  return { name, end }
}

const podOf = (mode: string, image = busybox, resources: object = {}) => ({
  mode,
  spec: { containers: [{ name: 'shell', image, resources }] },
})
