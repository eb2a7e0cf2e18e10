/** The service account of deploy/kubernetes/rbac.yaml can do what is needed, and each right that it lacks is named. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { before, describe, test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { run } from '../../conformance/rig.ts'
import { until } from '../../rigs/daemon.ts'
import type { KubeObject } from '../../rigs/kubernetes/admin.ts'
import { type KubernetesOptions, type KubernetesRig, kubernetesRoom, refusal, useCluster } from './rig.ts'

const manifest = resolve(import.meta.dirname, '../../../deploy/kubernetes/rbac.yaml')
const role = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/containerssh'
type Mode = NonNullable<KubernetesOptions['mode']>

interface Lack {
  readonly verb: string
  readonly resource: string
  readonly mode: Mode
  /** The record that names it. */
  readonly code: string
}
const lacks: readonly Lack[] = [
  { verb: 'create', resource: 'pods', mode: 'connection', code: 'KUBERNETES_POD_CREATE_FAILED' },
  { verb: 'watch', resource: 'pods', mode: 'connection', code: 'KUBERNETES_POD_WAIT_FAILED' },
  { verb: 'get', resource: 'pods', mode: 'persistent', code: 'KUBERNETES_POD_WAIT_FAILED' },
  { verb: 'list', resource: 'pods', mode: 'connection', code: 'KUBERNETES_REAP_FAILED' },
  { verb: 'delete', resource: 'pods', mode: 'connection', code: 'KUBERNETES_POD_REMOVE_FAILED' },
  { verb: 'get', resource: 'pods/exec', mode: 'connection', code: 'KUBERNETES_EXEC_FAILED' },
  { verb: 'get', resource: 'pods/attach', mode: 'session', code: 'KUBERNETES_EXEC_FAILED' },
  { verb: 'patch', resource: 'leases', mode: 'connection', code: 'KUBERNETES_LEASE_FAILED' },
  { verb: 'create', resource: 'leases', mode: 'connection', code: 'KUBERNETES_LEASE_FAILED' },
]

describe('rights in a cluster', { concurrency: 1 }, () => {
  const cluster = useCluster()
  let token = ''
  before(async () => {
    await cluster.admin.apply(manifest)
    token = await cluster.admin.token('containerssh')
  })
  const open = (mode: Mode): Promise<KubernetesRig> => {
    const connection = { certFile: '', keyFile: '', bearerToken: token }
    const metadata = mode === 'persistent' ? { name: 'stays' } : { generateName: 'rights-' }
    const pod = { metadata: { namespace: 'default', ...metadata }, createMissingPods: mode === 'persistent' }
    return kubernetesRoom(cluster, { mode, connection, pod, timeouts: { podStop: 5000 } })
  }
  /** What the API server thinks that our account may do. */
  const allowed = async ({ verb, resource: name }: Pick<Lack, 'verb' | 'resource'>): Promise<boolean> => {
    const [resource, subresource] = name.split('/')
    const group = name === 'leases' ? 'coordination.k8s.io' : ''
    const { status } = await cluster.admin.ask('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      spec: {
        user: 'system:serviceaccount:default:containerssh',
        resourceAttributes: { namespace: 'default', verb, resource, group, ...(subresource && { subresource }) },
      },
    })
    return status.allowed
  }

  for (const mode of ['connection', 'session', 'persistent'] as const) {
    test(`mode ${mode}: the account of the manifest can do all that a login needs, and cleans up`, async () => {
      const rig = await open(mode)
      const session = rig.enter()
      assert.deepEqual((await run(session, 'exit 3')).exit, { kind: 'status', code: 3 })
      assert.equal(await rig.backend.reap(AbortSignal.timeout(30_000)), 0)
      await session[Symbol.asyncDispose]()
      await rig[Symbol.asyncDispose]()
      if (mode === 'persistent')
        await rig.api.deletePod({ namespace: 'default', name: 'stays' }, 0, AbortSignal.timeout(30_000))
      assert.deepEqual(await rig.containers(), [])
      const bad = rig.records.filter(({ level }) => ['warning', 'error', 'critical'].includes(level))
      assert.deepEqual(
        bad.map(({ code }) => code),
        ['KUBERNETES_GUEST_AGENT_DISABLED'],
      )
    })
  }

  for (const lack of lacks) {
    const { verb, resource, mode, code } = lack
    test(`without ${verb} of ${resource} the record names it and where to look`, async () => {
      const full = parseAllDocuments(readFileSync(manifest, 'utf8')).map((one) => one.toJS() as KubeObject)
      const rules: KubeObject[] = full.find(({ kind }) => kind === 'Role').rules
      const without = rules.map((rule) =>
        rule.resources.includes(resource) ? { ...rule, verbs: rule.verbs.filter((one: string) => one !== verb) } : rule,
      )
      await cluster.admin.ask('PATCH', role, { rules: without })
      await until(`the loss of ${verb}`, async () => !(await allowed(lack)))
      const rig = await open(mode)
      try {
        const session = rig.enter()
        const got = await refusal(session)
        if (code === 'KUBERNETES_REAP_FAILED') await rig.backend.reap(AbortSignal.timeout(30_000))
        await session[Symbol.asyncDispose]()
        const { labels } = await rig.logged(code)
        const group = resource === 'leases' ? 'coordination.k8s.io' : ''
        const right = `cannot ${verb} resource "${resource}" in API group "${group}" in the namespace "default"`
        assert.ok(String(labels['reason']).includes(right), String(labels['reason']))
        assert.match(String(labels['reason']), /deploy\/kubernetes\/rbac\.yaml/)
        // What is not in the way of the program does not stop it.
        const isHarmless = ['delete', 'list', 'patch'].includes(verb) || resource === 'leases'
        assert.equal(got, isHarmless ? 'accepted' : code)
      } finally {
        await cluster.admin.ask('PATCH', role, { rules })
        await until(`the return of ${verb}`, () => allowed(lack))
        await rig[Symbol.asyncDispose]()
      }
      for (const name of await rig.containers()) {
        assert.equal(verb, 'delete')
        await rig.api.deletePod({ namespace: 'default', name }, 0, AbortSignal.timeout(30_000))
      }
    })
  }
})
