/** Configurations of the backend until 0.4, as they stand in old files. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { connectionTo } from '../../rigs/kubernetes/connection.ts'
import { type KubernetesLogin, kubernetesLogin } from './login.ts'
import { useCluster } from './rig.ts'

const image = 'containerssh-test/busybox:1'

describe('kuberun', { concurrency: 1 }, () => {
  const cluster = useCluster()

  /** As 0.3 had it: lower case, volume sources one level deeper. */
  const old = (pod: object, connection: object): Promise<KubernetesLogin> => {
    const { host, certFile, keyFile } = connectionTo(cluster)
    const kuberun = {
      connection: { host, certFile, keyFile, qps: 100, burst: 100, ...connection },
      pod,
      timeout: '60s',
    }
    return kubernetesLogin(cluster, { config: { backend: 'kuberun', kuberun } })
  }

  test('a shell runs the command of the pod, commands and subsystems are refused, each with its code', async () => {
    const command = ['/bin/sh', '-c', 'read line; echo got $line > /data/said; cat /data/said; exit 7']
    const volumemounts = [{ name: 'data', mountpath: '/data' }]
    const podSpec = {
      containers: [{ name: 'shell', image, command, volumemounts }],
      volumes: [{ name: 'data', volumesource: { emptydir: {} } }],
    }
    await using login = await old({ namespace: 'default', podSpec, disableCommand: true }, { insecure: true })
    const { details, message } = await login.daemon.line('KUBERUN_DEPRECATED')
    assert.equal(details['backend'], 'kuberun')
    assert.match(message, /https:\/\/containerssh\.io\/deprecations\/kuberun/)
    assert.match(String((await login.daemon.line('KUBERUN_INSECURE')).details['host']), /127\.0\.0\.1/)
    const shell = await login.client.run([], { input: Buffer.from('this\n') })
    assert.deepEqual([shell.stdout.toString(), shell.code], ['got this\n', 7])
    const exec = await login.client.run(['ls'])
    assert.notEqual(exec.code, 0)
    assert.match(exec.stderr, /Program execution is disabled/)
    await login.daemon.line('KUBERUN_EXEC_DISABLED', ({ details }) => details['command'] === 'ls')
    const sftp = await login.client.run(['sftp'], { options: ['-s'] })
    assert.notEqual(sftp.code, 0)
    await login.daemon.line('KUBERUN_EXEC_DISABLED', ({ details }) => details['subsystem'] === 'sftp')
    await login.noPods()
  })

  test('a command takes the place of that of the pod, whose arguments are not for it; a shell can be the image’s own', async () => {
    const { cacertFile } = connectionTo(cluster)
    const containers = [{ name: 'shell', image, args: ['more'] }]
    await using login = await old({ podSpec: { containers } }, { cacertFile })
    const exec = await login.client.run(['echo $# $0; exit 3'])
    assert.deepEqual([exec.stdout.toString(), exec.code], ['0 /bin/sh\n', 3])
    assert.ok(!login.daemon.lines.some(({ code }) => code === 'KUBERUN_INSECURE'))
    await login.noPods()
  })

  test('without insecure the certificate has to be trusted', async () => {
    await using login = await old({ podSpec: { containers: [{ image }] } }, {})
    const { code, stderr } = await login.client.run(['true'])
    assert.notEqual(code, 0)
    assert.match(stderr, /The pod cannot be made: the cluster cannot be reached/)
    const { details } = await login.daemon.line('KUBERNETES_POD_CREATE_FAILED')
    assert.match(String(details['reason']), /has a certificate that is not trusted/)
  })
})
