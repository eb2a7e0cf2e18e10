/** The Helm chart and the daemon's image in a real cluster: from the installation to nothing. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { record, until } from '../../rigs/daemon.ts'
import { buildDaemonImage, daemonImage } from '../../rigs/daemon-image.ts'
import { apiService } from '../../rigs/kubernetes/api-service.ts'
import { startCluster } from '../../rigs/kubernetes/cluster.ts'
import { type KubeObject, type Operator, operator, sectionOf } from '../../rigs/kubernetes/operator.ts'
import { anyForwarding } from '../../rigs/server.ts'
import { answering, startService } from '../../rigs/services.ts'
import { type Client, client, type Key, makeKey } from '../../rigs/ssh.ts'

const chart = resolve(import.meta.dirname, '../../../deploy/helm/containerssh')
const image = 'containerssh-test/busybox:1'
const longMs = 120_000

interface Slice {
  readonly endpoints: readonly { readonly addresses: readonly string[]; readonly conditions: { ready: boolean } }[]
  readonly ports: readonly { readonly name: string; readonly port: number }[]
}

describe('the Helm chart in a cluster', { concurrency: 1 }, () => {
  const stack = new AsyncDisposableStack()
  let admin: Operator
  let key: Key
  let values: string

  before(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'containerssh-helm-'))
    stack.defer(() => rmSync(folder, { recursive: true, force: true }))
    key = stack.use(makeKey())
    values = join(folder, 'values.yaml')
    const cluster = stack.use(await startCluster({ images: [await buildDaemonImage()] }))
    // Into another cluster the image would have to come through a registry.
    assert.ok(cluster.own !== undefined, 'this test needs a cluster of its own: unset KUBECONFIG')
    const { hostAliases, env } = stack.use(await apiService(cluster.own))
    admin = await operator(cluster.kubeconfig)
    writeFileSync(values, JSON.stringify({ ...settings(key), hostAliases, extraEnv: env }))
    await admin.kubectl('create', 'namespace', 'guests')
    // A pod needs it, and a controller makes it.
    await until(
      'the account of the guests',
      async () => (await admin.objects('-n', 'guests', 'serviceaccounts')).length,
    )
  })
  after(() => stack[Symbol.asyncDispose]())

  const helm = (verb: string, ...args: readonly string[]): Promise<string> =>
    admin.helm(verb, 'box', ...args, '--namespace', 'ssh', '--wait', '--timeout', '150s')
  const guests = (): Promise<readonly KubeObject[]> => admin.objects('-n', 'guests', 'pods')
  const daemons = (): Promise<readonly KubeObject[]> =>
    admin.objects('-n', 'ssh', 'pods', '-l', 'app.kubernetes.io/name=containerssh')

  /** A client at an address that the Service has found. */
  const visitor = async (): Promise<{ client: Client; host: string; port: number }> => {
    const address = await until('an endpoint', async () => {
      const slices = await admin.objects('-n', 'ssh', 'endpointslices', '-l', 'kubernetes.io/service-name=box')
      const { endpoints, ports } = (slices[0] ?? {}) as Partial<Slice>
      const ready = endpoints?.find(({ conditions }) => conditions.ready)?.addresses[0]
      const port = ports?.find(({ name }) => name === 'ssh')?.port
      return ready === undefined || port === undefined ? undefined : { host: ready, port }
    })
    return { ...address, client: client(address.port, key, 'alice', address.host) }
  }
  /** What the server says of itself, with its identification. */
  const face = async (): Promise<{ readonly keys: string; readonly about: string }> => {
    const { host, port } = await visitor()
    const args = ['-p', `${port}`, '-T', '20', host]
    const { stdout, stderr } = await promisify(execFile)('ssh-keyscan', args, { timeout: 60_000 })
    return { keys: stdout.replaceAll(host, 'host'), about: stderr }
  }
  /** What its daemons have logged, for `npm run codes`. */
  const recordLogs = async (): Promise<void> => {
    const text = await admin.kubectl('-n', 'ssh', 'logs', '-l', 'app.kubernetes.io/name=containerssh', '--tail=-1')
    for (const line of text.split('\n').filter((one) => one.startsWith('{'))) record(line)
  }

  test('a daemon that was installed becomes ready, and a login gets a shell in a pod of the same cluster', async () => {
    await helm('install', chart, '--create-namespace', '-f', values)
    const shell = await (await visitor()).client.run([], { input: Buffer.from('hostname; id -u; exit 7\n') })
    assert.equal(shell.code, 7, shell.stderr)
    assert.match(shell.stdout.toString(), /^containerssh-\w+\n0\n$/)
    await until('the guest pod to go', async () => (await guests()).length === 0, longMs)
  })

  test('the daemon is told of to Prometheus, and is nobody in particular', async () => {
    const [pod] = await daemons()
    const { podIP } = sectionOf<{ podIP: string }>(pod, 'status')
    const annotations = pod?.metadata.annotations ?? {}
    const url = `http://${podIP}:${annotations['prometheus.io/port']}${annotations['prometheus.io/path']}`
    const metrics = await fetch(url, { signal: AbortSignal.timeout(10_000) })
    assert.match(await metrics.text(), /^containerssh_ssh_connections\S* 1$/m)
    const exec = ['-n', 'ssh', 'exec', pod?.metadata.name ?? '', '--']
    assert.match(await admin.kubectl(...exec, 'id'), /^uid=65532\(containerssh\) gid=65532/)
    await assert.rejects(admin.kubectl(...exec, 'touch', '/usr/lib/containerssh/src/new'), /Read-only file system/)
    for (const tool of ['npm', 'g++', 'make', 'python3']) {
      await assert.rejects(admin.kubectl(...exec, 'which', tool), /exit code 1/)
    }
  })

  test('its daemon has the guest agent, and puts it into a pod when a port is to lead back to the client', async () => {
    await using service = await startService(answering((received) => `got ${received.length}`))
    const { client: user } = await visitor()
    const command = 'until echo hello | nc localhost 7070; do sleep 0.1; done; ls /.containerssh'
    const { stdout, stderr } = await user.run([command], { options: ['-R', `7070:127.0.0.1:${service.at}`] })
    assert.equal(stdout.toString(), 'got 6agent\n', stderr)
    await until('the guest pod to go', async () => (await guests()).length === 0, longMs)
  })

  test('its rights are those that it needs, where its guests are', async () => {
    const may = (verb: string, what: string, namespace: string): Promise<boolean> =>
      admin.kubectl('auth', 'can-i', verb, what, '-n', namespace, '--as=system:serviceaccount:ssh:box').then(
        () => true,
        () => false,
      )
    assert.ok(await may('create', 'pods/exec', 'guests'))
    for (const [verb, what] of [
      ['get', 'secrets'],
      ['list', 'configmaps'],
      ['create', 'deployments'],
    ] as const) {
      assert.ok(!(await may(verb, what, 'guests')), `${verb} ${what}`)
    }
    for (const namespace of ['ssh', 'default']) assert.ok(!(await may('create', 'pods', namespace)), namespace)
  })

  test('an upgrade brings another configuration and keeps the host key', async () => {
    const before = await face()
    assert.match(before.keys, /ssh-ed25519 /)
    await recordLogs()
    await helm('upgrade', chart, '--reuse-values', '--set', 'config.ssh.serverVersion=SSH-2.0-Upgraded')
    await until('the old daemon to go', async () => (await daemons()).length === 1, longMs)
    const { keys, about } = await face()
    assert.match(about, /SSH-2\.0-Upgraded/)
    assert.equal(keys.replaceAll('SSH-2.0-Upgraded', ''), before.keys.replaceAll('SSH-2.0-ContainerSSH', ''))
    const { client: user } = await visitor()
    const visit = await user.run(['true'])
    assert.equal(visit.code, 0, visit.stderr)
    await until('the guest pod to go', async () => (await guests()).length === 0, longMs)
  })

  test('nothing is left after it was uninstalled, not even of a session that was open', async () => {
    const session = (await visitor()).client.start(['cat'])
    session.on('error', () => undefined)
    session.stdin.write('hello\n')
    await new Promise((resolve) => session.stdout.once('data', resolve))
    const ended = new Promise((resolve) => session.once('close', resolve))
    assert.equal((await guests()).length, 1)
    await recordLogs()
    await helm('uninstall')
    await ended
    assert.deepEqual(await names('guests', 'pods', 'leases', 'roles', 'rolebindings', 'networkpolicies'), [])
    const kinds = (await admin.kubectl('api-resources', '--namespaced', '--verbs=list', '-o', 'name'))
      .trim()
      .split('\n')
    const left = await names('ssh', ...kinds.filter((kind) => !kind.startsWith('events')))
    assert.deepEqual(left, ['ConfigMap kube-root-ca.crt', 'ServiceAccount default'])
  })
  const names = async (namespace: string, ...kinds: readonly string[]): Promise<string[]> =>
    (await admin.objects('-n', namespace, kinds.join(','))).map(({ kind, metadata }) => `${kind} ${metadata.name}`)
})

const settings = (key: Key): object => ({
  image: daemonImage,
  guests: { namespace: 'guests' },
  // Nobody but this test sends it connections.
  preStopSeconds: 0,
  shutdownTimeoutSeconds: 3,
  config: {
    log: { level: 'debug' },
    auth: { users: [{ name: 'alice', authorizedKeys: [key.line] }] },
    security: anyForwarding,
    kubernetes: {
      connection: { qps: 100, burst: 100 },
      pod: { disableAgent: true, shellCommand: ['/bin/sh'], spec: { containers: [{ name: 'shell', image }] } },
    },
  },
})
