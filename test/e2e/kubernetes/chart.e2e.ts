/** What the Helm chart renders, without a cluster. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { before, describe, test } from 'node:test'
import { parse, parseAllDocuments } from 'yaml'
import { loadConfig } from '../../../src/shared/config/load.ts'
import { type KubeObject, type Operator, operator, sectionOf } from '../../rigs/kubernetes/operator.ts'

const chart = resolve(import.meta.dirname, '../../../deploy/helm/containerssh')

interface PodSpec {
  readonly terminationGracePeriodSeconds: number
  readonly volumes: readonly { readonly name: string }[]
  readonly containers: readonly { readonly lifecycle?: object }[]
}

describe('the Helm chart', () => {
  let admin: Operator
  before(async () => {
    admin = await operator()
  })
  const render = async (values: object = {}): Promise<ReadonlyMap<string, KubeObject>> => {
    const folder = mkdtempSync(join(tmpdir(), 'containerssh-chart-'))
    try {
      const file = join(folder, 'values.yaml')
      writeFileSync(file, JSON.stringify(values))
      const text = await admin.helm('template', 'box', chart, '--namespace', 'ssh', '--no-hooks', '-f', file)
      const objects = parseAllDocuments(text).map((document) => document.toJS() as KubeObject)
      return new Map(objects.map((object) => [`${object.kind} ${object.metadata.name}`, object]))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  const configOf = (objects: ReadonlyMap<string, KubeObject>): string =>
    sectionOf<{ 'config.yaml': string }>(objects.get('Secret box-config'), 'stringData')['config.yaml']
  const podOf = (objects: ReadonlyMap<string, KubeObject>, kind = 'Deployment'): PodSpec =>
    sectionOf<{ template: { spec: PodSpec } }>(objects.get(`${kind} box`), 'spec').template.spec

  test('is clean, also by the strict rules', async () => {
    assert.match(await admin.helm('lint', '--strict', chart), /1 chart\(s\) linted, 0 chart\(s\) failed/)
  })

  test('makes a configuration that the daemon takes', async () => {
    const config = { auth: { users: [{ name: 'alice', authorizedKeys: [] }] }, ssh: { banner: 'hello' } }
    const values = { config, guests: { namespace: 'guests' }, shutdownTimeoutSeconds: 7, metrics: { enabled: false } }
    const text = configOf(await render(values))
    const folder = mkdtempSync(join(tmpdir(), 'containerssh-chart-'))
    try {
      writeFileSync(join(folder, 'config.yaml'), text)
      const loaded = await loadConfig(join(folder, 'config.yaml'), { onlyParse: true })
      assert.deepEqual(loaded.warnings, [])
      const { ssh, health, metrics, kubernetes, backend, shutdownTimeout } = loaded.config
      assert.deepEqual(ssh.hostkeys, ['/etc/containerssh/keys/ssh_host_ed25519_key'])
      assert.equal(ssh.banner, 'hello')
      assert.deepEqual([health.enable, metrics.enable, backend, shutdownTimeout], [true, false, 'kubernetes', 7000])
      assert.equal(kubernetes.pod.metadata['namespace'], 'guests')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('gives a pod that ends the time that its daemon takes for it', async () => {
    const objects = await render({ shutdownTimeoutSeconds: 100, preStopSeconds: 3 })
    assert.equal(podOf(objects).terminationGracePeriodSeconds, 123)
    assert.equal((parse(configOf(objects)) as { shutdownTimeout: string }).shutdownTimeout, '100s')
    assert.deepEqual(podOf(objects).containers[0]?.lifecycle, { preStop: { sleep: { seconds: 3 } } })
  })

  test('refuses what it would overrule, and what it does not know', async () => {
    for (const config of [{ ssh: { listen: ':22' } }, { shutdownTimeout: '5s' }, { health: { enable: false } }]) {
      await assert.rejects(render({ config }), /is set by the chart/)
    }
    await assert.rejects(render({ replica: 2 }), /'replica' not allowed/)
    await assert.rejects(render({ service: { type: 'ExternalName' } }), /service\/type/)
  })

  test('keeps what waits for its upload on a volume of each daemon, if wanted', async () => {
    assert.ok(podOf(await render()).volumes.some(({ name }) => name === 'data'))
    const objects = await render({ persistence: { enabled: true } })
    assert.ok(!objects.has('Deployment box'))
    assert.ok(!podOf(objects, 'StatefulSet').volumes.some(({ name }) => name === 'data'))
    const { audit } = parse(configOf(objects)) as { audit: object }
    const folder = '/var/lib/containerssh'
    assert.deepEqual(audit, { file: { directory: `${folder}/audit` }, s3: { local: `${folder}/audit-queue` } })
  })

  test('can wall off the pods of users, and nothing else', async () => {
    assert.ok(!(await render()).has('NetworkPolicy box-guests'))
    const objects = await render({ guests: { namespace: 'guests', networkPolicy: { enabled: true } } })
    const policy = sectionOf<Record<string, unknown>>(objects.get('NetworkPolicy box-guests'), 'spec')
    const { podSelector, policyTypes } = policy
    assert.deepEqual(podSelector, { matchExpressions: [{ key: 'containerssh_owner', operator: 'Exists' }] })
    assert.deepEqual(policyTypes, ['Ingress', 'Egress'])
  })

  test('gives the daemon the rights that its manifest gives it', async () => {
    const file = readFileSync(resolve(chart, '../../kubernetes/rbac.yaml'), 'utf8')
    const manifest = parseAllDocuments(file).map((document) => document.toJS() as KubeObject)
    const role = manifest.find(({ kind }) => kind === 'Role')
    const objects = await render()
    assert.deepEqual(sectionOf(objects.get('Role box'), 'rules'), sectionOf(role, 'rules'))
    assert.ok([...objects.keys()].every((name) => !name.startsWith('Cluster')))
  })
})
