/** Each way to the API server, and the servers' moods on it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { freePort } from '../../../bench/process.ts'
import { connect } from '../../../src/workers/backends/kubernetes/client.ts'
import { run } from '../../conformance/rig.ts'
import { until } from '../../rigs/daemon.ts'
import { startApiProxy } from '../../rigs/kubernetes/api-proxy.ts'
import { connectionTo } from '../../rigs/kubernetes/connection.ts'
import { finish } from '../../rigs/ssh.ts'
import { inRoom, kubernetesRoom, nothing, refusal, useCluster } from './rig.ts'

const manifest = resolve(import.meta.dirname, '../../../deploy/kubernetes/rbac.yaml')
const three = { kind: 'status', code: 3 }

describe('the way to a cluster', { concurrency: 1 }, () => {
  const cluster = useCluster()
  let host = ''
  let cacertFile = ''
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-way-'))
  const write = (name: string, content: string | object): string => {
    const path = join(folder, name)
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
    return path
  }
  before(async () => {
    ;({ host, cacertFile } = connectionTo(cluster))
    await cluster.admin.apply(manifest)
  })
  after(() => rmSync(folder, { recursive: true }))
  /** With nothing but these settings a login works. */
  const works = (connection: Readonly<Record<string, unknown>>): Promise<void> =>
    inRoom(cluster, { connection: { ...nothing, ...connection } }, async (_rig, session) => {
      assert.deepEqual((await run(session, 'exit 3')).exit, three)
    })
  const fails = (connection: Readonly<Record<string, unknown>>, reason: RegExp): Promise<void> =>
    assert.rejects(kubernetesRoom(cluster, { connection: { ...nothing, ...connection } }), reason)

  test('client certificates as PEM texts', () => {
    const { certFile, keyFile } = connectionTo(cluster)
    const [cacert, cert, key] = [cacertFile, certFile, keyFile].map((file) => readFileSync(file, 'utf8'))
    return works({ host, cacert, cert, key })
  })

  test('a bearer token', async () => {
    await works({ host, cacertFile, bearerToken: await cluster.admin.token('containerssh') })
  })

  test('a kubeconfig, and a context of it by name', async () => {
    await works({ kubeconfig: cluster.kubeconfig })
    const token = await cluster.admin.token('containerssh')
    const two = write('two.kubeconfig', {
      clusters: [{ name: 'real', cluster: { server: host, 'certificate-authority': cacertFile } }],
      users: [
        { name: 'token', user: { token } },
        { name: 'wrong', user: { token: 'x' } },
      ],
      contexts: [
        { name: 'good', context: { cluster: 'real', user: 'token' } },
        { name: 'bad', context: { cluster: 'real', user: 'wrong' } },
      ],
      'current-context': 'bad',
    })
    await works({ kubeconfig: two, context: 'good' })
    await inRoom(cluster, { connection: { ...nothing, kubeconfig: two } }, async (rig, session) => {
      assert.equal(await refusal(session), 'KUBERNETES_POD_CREATE_FAILED')
      assert.equal((await rig.logged('KUBERNETES_POD_CREATE_FAILED')).labels['statusCode'], 401)
    })
    await fails({ kubeconfig: two, context: 'none' }, /two\.kubeconfig has no context "none"/)
  })

  test('a kubeconfig whose credentials come from a program', async () => {
    const status = { token: await cluster.admin.token('containerssh') }
    const apiVersion = 'client.authentication.k8s.io/v1'
    const credential = write('credential.json', { apiVersion, kind: 'ExecCredential', status })
    await works({
      kubeconfig: write('exec.kubeconfig', {
        clusters: [{ name: 'real', cluster: { server: host, 'certificate-authority': cacertFile } }],
        users: [{ name: 'program', user: { exec: { apiVersion, command: 'cat', args: [credential] } } }],
        contexts: [{ name: 'only', context: { cluster: 'real', user: 'program' } }],
        'current-context': 'only',
      }),
    })
  })

  test('a kubeconfig beside other settings, or a file that is not there, is an error of the configuration', async () => {
    await fails({ kubeconfig: cluster.kubeconfig, bearerToken: 'x' }, /expected no bearerToken beside it/)
    await fails({ kubeconfig: '/nowhere' }, /kubeconfig: ENOENT/)
    await fails({ host, bearerTokenFile: '/nowhere' }, /bearerTokenFile: ENOENT/)
    await fails({ host: 'http://[' }, /host: "http:\/\/\[" is no host, host:port or URL/)
  })

  test('in a pod, nothing has to be configured: the service account and the server that each pod knows are used', async () => {
    const account = join(folder, 'account')
    const probe = `
      const { connect } = await import(${JSON.stringify(resolve(import.meta.dirname, '../../../src/workers/backends/kubernetes/client.ts'))})
      const { defaults } = await import(${JSON.stringify(resolve(import.meta.dirname, '../../../src/shared/config/schema.ts'))})
      const client = connect(defaults().kubernetes.connection, 15000)
      const pods = await client.request({ method: 'GET', path: '/namespaces/default/pods' }, AbortSignal.timeout(30000))
      process.stdout.write(pods.kind)
      await client.close()`
    // A mount namespace of its own, in which a kubelet would have put the account where it puts it in every pod.
    const script = `mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io && cp -r "$1" /run/secrets/kubernetes.io/serviceaccount && shift && exec "$@"`
    const token = await cluster.admin.token('containerssh')
    const { hostname, port } = new URL(host)
    rmSync(account, { recursive: true, force: true })
    mkdirSync(account)
    write('account/token', token)
    write('account/ca.crt', readFileSync(cacertFile, 'utf8'))
    const node = [process.execPath, '--input-type=module', '-e', probe]
    const child = spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', account, ...node], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
    })
    const { code, stdout, stderr } = await finish(child)
    assert.deepEqual([code, stdout.toString(), stderr], [0, 'PodList', ''])
  })

  test('a token in a file that is replaced is used at once when the old one is worth nothing any more', async () => {
    const secret = await cluster.admin.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'leash' } })
    const first = await cluster.admin.token('containerssh', secret)
    const bearerTokenFile = write('token', first)
    const connection = { ...nothing, host, cacertFile, bearerTokenFile }
    const rig = await kubernetesRoom(cluster, { connection })
    const [before, later] = [rig.enter(), rig.enter()]
    assert.deepEqual((await run(before, 'exit 3')).exit, three)
    await cluster.admin.ask('DELETE', '/api/v1/namespaces/default/secrets/leash')
    const old = connect({ ...connectionTo(cluster), ...connection, bearerToken: first, bearerTokenFile: '' }, 15_000)
    // The API server remembers for 10 s that a token was good.
    await until(
      'the end of the first token',
      () =>
        old.request({ method: 'GET', path: '/namespaces/default/pods' }, AbortSignal.timeout(15_000)).then(
          () => false,
          (error: { statusCode?: number }) => error.statusCode === 401,
        ),
      30_000,
    )
    write('token', `${await cluster.admin.token('containerssh')}\n`)
    // By a session that has begun with the old one, and by one that begins now.
    assert.deepEqual((await run(before, 'exit 3')).exit, three)
    assert.deepEqual((await run(later, 'exit 3')).exit, three)
    for (const session of [before, later]) await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
    await old.close()
    assert.deepEqual(await rig.containers(), [])
    assert.ok(!rig.codes().includes('KUBERNETES_POD_CREATE_FAILED'))
  })

  test('a server whose certificate is not trusted is refused at once, unless its name and authority are given', async () => {
    const { certFile, keyFile } = connectionTo(cluster)
    const ours = { ...nothing, host, certFile, keyFile }
    for (const [more, why] of [
      [{}, /is not trusted: unable to verify|is not trusted: self-signed/],
      [{ cacertFile, serverName: 'other.example' }, /is not trusted: Hostname\/IP does not match/],
    ] as const) {
      await inRoom(cluster, { connection: { ...ours, ...more } }, async (rig, session) => {
        assert.equal(await refusal(session), 'KUBERNETES_POD_CREATE_FAILED')
        const { labels } = await rig.logged('KUBERNETES_POD_CREATE_FAILED')
        assert.equal(labels['attempt'], 1)
        assert.match(String(labels['reason']), why)
      })
    }
    await works({ ...ours, cacertFile, serverName: 'localhost' })
  })

  test('of several servers the next one is asked when one is dead, also for one that dies later', async () => {
    const proxies = [await startApiProxy(cluster), await startApiProxy(cluster)] as const
    const [one, two] = proxies
    const dead = `http://127.0.0.1:${await freePort()}`
    const connection = { ...nothing, host: dead, hosts: [one.url, two.url] }
    await inRoom(cluster, { connection }, async (rig, session) => {
      assert.deepEqual((await run(session, 'exit 3')).exit, three)
      assert.ok(one.count(/\/exec\?/) > 0)
      assert.equal(two.seen.length, 0)
      await one[Symbol.asyncDispose]()
      assert.deepEqual((await run(session, 'exit 3')).exit, three)
      const next = rig.enter()
      assert.deepEqual((await run(next, 'exit 3')).exit, three)
      await next[Symbol.asyncDispose]()
      assert.ok(two.count(/\/exec\?/) >= 2)
    })
    await two[Symbol.asyncDispose]()
  })

  test('a server that is overloaded, out of order or loses its answer is asked again, and nothing is made twice', async () => {
    const [create, remove] = [/^POST .*\/pods$/, /^DELETE .*\/pods\//]
    await using proxy = await startApiProxy(cluster, [
      { match: create, times: 1, answer: { status: 429, headers: { 'retry-after': '1' } } },
      { match: create, times: 1, answer: { status: 503 } },
      { match: create, times: 1, cut: 'after' },
      { match: /\/exec\?/, times: 1, answer: { status: 500 } },
    ])
    await inRoom(cluster, { connection: { ...nothing, host: proxy.url } }, async (rig, session) => {
      assert.deepEqual((await run(session, 'exit 3')).exit, three)
      assert.equal(proxy.count(create), 4)
      const failures = rig.records.filter(({ code }) => code === 'KUBERNETES_POD_CREATE_FAILED')
      assert.deepEqual(
        failures.map(({ level, labels }) => [level, labels['attempt'], labels['statusCode']]),
        [
          ['debug', 1, 429],
          ['debug', 2, 503],
          ['debug', 3, undefined],
        ],
      )
      await rig.logged('KUBERNETES_EXEC_FAILED', ({ level }) => level === 'debug')
      // The pod whose creation was not answered is found and removed while the other one is used.
      await until('one pod', async () => (await rig.containers()).length === 1)
      proxy.rules.push({ match: remove, times: 2, answer: { status: 500 } })
      await session[Symbol.asyncDispose]()
      await rig.logged(
        'KUBERNETES_POD_REMOVE_FAILED',
        ({ level, labels }) => level === 'debug' && labels['attempt'] === 2,
      )
    })
  })

  test('no more calls are made at once than burst says, by all sessions together', async () => {
    await using proxy = await startApiProxy(cluster)
    const settings = { ...connectionTo(cluster), ...nothing, host: proxy.url, qps: 0.001, burst: 5 }
    const client = connect(settings, 15_000)
    const patience = new AbortController()
    const get = () => client.request({ method: 'GET', path: '/namespaces/default/pods' }, patience.signal)
    const calls = Array.from({ length: 12 }, get)
    let answers = 0
    const ended = calls.map(async (call) => {
      await call
      answers += 1
    })
    await until('five answers', () => answers === 5)
    patience.abort(new Error('enough'))
    const over = await Promise.allSettled(ended)
    assert.equal(over.filter(({ status }) => status === 'fulfilled').length, 5)
    assert.equal(proxy.seen.length, 5)
    await client.close()
  })
})
