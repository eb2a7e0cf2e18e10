/** Pods that are made ahead: who gets them, what is in them, what becomes of those that nobody gets. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { schema } from '../../../src/shared/config/schema.ts'
import type { UserSettings } from '../../../src/shared/config/user/settings.ts'
import type { Pod } from '../../../src/workers/backends/kubernetes/api.ts'
import type { Member } from '../../../src/workers/ports.ts'
import { exec, run, talk } from '../../conformance/rig.ts'
import { until } from '../../rigs/daemon.ts'
import { startApiProxy } from '../../rigs/kubernetes/api-proxy.ts'
import { type KubernetesOptions, type KubernetesRig, kubernetesRoom, nothing, useCluster } from './rig.ts'

const limit = (): AbortSignal => AbortSignal.timeout(30_000)

interface PoolRig extends KubernetesRig {
  /** All that are not on their way out, ready or not. */
  all(): Promise<readonly Pod[]>
  /** Waits until so many have been made ahead since the start; gives their names. */
  filled(count: number): Promise<string[]>
  claimed(): string[]
}

describe('pods that are made ahead', { concurrency: 1 }, () => {
  const cluster = useCluster()

  const pool = async (pool: object, options: KubernetesOptions = {}): Promise<PoolRig> => {
    const test = randomBytes(6).toString('hex')
    const metadata = { namespace: 'default', generateName: 'ahead-', labels: { test } }
    const rig = await kubernetesRoom(cluster, { ...options, kubernetes: { pool }, pod: { metadata, ...options.pod } })
    const told = (code: string): string[] =>
      rig.records.filter((line) => line.code === code).map(({ labels }) => String(labels['podName']))
    return Object.assign(rig, {
      async all() {
        const found = await rig.api.listPods('default', `test=${test}`, limit())
        return found.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      },
      async filled(count: number) {
        const made = (): string[] => told('KUBERNETES_POOL_FILLED')
        await until(`${count} pods made ahead; ${rig.codes().join(' ')}`, () => made().length >= count, 60_000)
        return made()
      },
      claimed: () => told('KUBERNETES_POOL_CLAIMED'),
    })
  }

  test('each is given out once, bears the labels of its connection from then on, and is removed with it', async () => {
    const rig = await pool({ min: 2 })
    const first = await rig.filled(2)
    for (const { metadata } of await rig.all()) assert.equal(metadata.labels?.['containerssh_connection_id'], undefined)
    const [a, b] = [rig.enter(), rig.enter()]
    assert.deepEqual((await run(a, 'echo a > /mark; exit 3')).exit, { kind: 'status', code: 3 })
    assert.equal((await run(b, 'cat /mark')).stdout, '')
    assert.deepEqual(rig.claimed().toSorted(), first.toSorted())
    const theirs = (await rig.all()).filter(({ metadata }) => first.includes(metadata.name))
    for (const { metadata } of theirs) {
      assert.equal(metadata.labels?.['containerssh_connection_id'], rig.occupant.peer.connectionId)
      assert.equal(metadata.labels['containerssh_username'], 'somebody')
      assert.equal(metadata.labels['containerssh_pool'], undefined)
      assert.equal(metadata.annotations?.['containerssh_ip'], '192.0.2.1')
    }
    const all = await rig.filled(4)
    for (const session of [a, b]) await session[Symbol.asyncDispose]()
    const names = async (): Promise<string[]> => (await rig.all()).map(({ metadata }) => metadata.name).toSorted()
    await until('those of the users to go', async () => (await names()).length === 2)
    assert.deepEqual(await names(), all.slice(2).toSorted())
    await rig[Symbol.asyncDispose]()
    assert.deepEqual(await names(), [])
  })

  test('programs have the environment of their user, variables of the channel win, and his files are there', async () => {
    const datum = (value: string) => ({ value, sensitive: false })
    const member: Partial<Member> = {
      environment: new Map([
        ['FROM_LOGIN', datum('a b=c')],
        ['BOTH', datum('login')],
      ]),
      files: new Map([['/root/note', { value: Buffer.from('hello'), sensitive: false }]]),
    }
    const rig = await pool({ min: 1 }, { member })
    await rig.filled(1)
    const session = rig.enter()
    const channel = await talk(session)
    await channel.start({ kind: 'env', name: 'BOTH', value: 'channel' })
    await channel.start(exec('echo "$FROM_LOGIN $BOTH $(cat /root/note)"'))
    await channel.exit
    assert.equal(channel.stdout.text, 'a b=c channel hello\n')
    assert.equal(rig.claimed().length, 1)
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  })

  test('a user of an image without a shell who has variables gets a pod that was made with them', async () => {
    const member = { environment: new Map([['WHO', { value: 'me', sensitive: false }]]) }
    const spec = { containers: [{ name: 'shell', image: 'containerssh-test/noshell:1' }] }
    const idleCommand = ['/busybox', 'sleep', '1000']
    const rig = await pool({ min: 1 }, { member, pod: { spec, idleCommand } })
    const [warm = ''] = await rig.filled(1)
    const session = rig.enter()
    assert.deepEqual((await run(session, '/busybox env')).exit, { kind: 'status', code: 0 })
    assert.match((await run(session, '/busybox env')).stdout, /^WHO=me$/m)
    assert.ok(!(await rig.containers()).includes(warm))
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  })

  test('one that was deleted is never given out, and another takes its place without anybody asking', async () => {
    const rig = await pool({ min: 1 })
    const [victim = ''] = await rig.filled(1)
    await rig.api.deletePod({ namespace: 'default', name: victim }, 0, limit())
    await rig.logged('KUBERNETES_POOL_POD_LOST', ({ labels }) => labels['podName'] === victim)
    const [, other] = await rig.filled(2)
    const session = rig.enter()
    assert.deepEqual((await run(session, 'exit 7')).exit, { kind: 'status', code: 7 })
    assert.deepEqual(rig.claimed(), [other])
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
    assert.deepEqual(await rig.all(), [])
  })

  test('one that somebody else has taken is not given to a second user', async () => {
    const rig = await pool({ min: 1 })
    const [taken = ''] = await rig.filled(1)
    const steps = [{ op: 'remove', path: '/metadata/labels/containerssh_pool' } as const]
    await rig.api.patchPod({ namespace: 'default', name: taken }, steps, limit())
    const session = rig.enter()
    assert.deepEqual((await run(session, 'exit 8')).exit, { kind: 'status', code: 8 })
    assert.ok(!(await rig.containers()).includes(taken))
    assert.deepEqual(rig.claimed(), [])
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  })

  test('one that died while the API server told nothing is not given out either', async () => {
    await using proxy = await startApiProxy(cluster, [
      { match: /allowWatchBookmarks/, answer: { status: 500, message: 'in flames' } },
    ])
    const rig = await pool({ min: 1 }, { connection: { ...nothing, host: proxy.url } })
    const [victim = ''] = await rig.filled(1)
    await rig.logged('KUBERNETES_WATCH_FAILED')
    proxy.rules = [{ match: /GET .*\/pods\?(?!.*fieldSelector)/, answer: { status: 500, message: 'in flames' } }]
    await rig.api.deletePod({ namespace: 'default', name: victim }, 0, limit())
    const session = rig.enter()
    assert.deepEqual((await run(session, 'exit 6')).exit, { kind: 'status', code: 6 })
    assert.deepEqual(rig.claimed(), [])
    await rig.logged('KUBERNETES_POOL_POD_LOST', ({ labels }) => labels['podName'] === victim)
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  })

  test('two workers that want the same pod: one gets it', async () => {
    const rig = await pool({ min: 1 })
    const [name = ''] = await rig.filled(1)
    const profile = (await rig.all())[0]?.metadata.labels?.['containerssh_pool'] ?? ''
    const path = '/metadata/labels/containerssh_pool'
    const steps = [
      { op: 'test', path, value: profile },
      { op: 'remove', path },
    ] as const
    const rivals = Array.from({ length: 4 }, () => rig.api.patchPod({ namespace: 'default', name }, steps, limit()))
    const tries = Promise.allSettled(rivals)
    const session = rig.enter()
    assert.deepEqual((await run(session, 'exit 2')).exit, { kind: 'status', code: 2 })
    const got = (await tries).filter(({ status }) => status === 'fulfilled')
    assert.equal(got.length + rig.claimed().length, 1)
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  })

  test('are removed when no more logins come, and those who are in one stay', async () => {
    const rig = await pool({ min: 2 })
    await rig.filled(2)
    const session = rig.enter()
    assert.equal((await run(session, 'echo in')).stdout, 'in\n')
    rig.backend.retire?.()
    const names = async (): Promise<string[]> => (await rig.all()).map(({ metadata }) => metadata.name)
    await until('the others to go', async () => (await names()).length === 1, 30_000)
    assert.deepEqual(await names(), rig.claimed())
    assert.equal((await run(session, 'echo still in')).stdout, 'still in\n')
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  })

  test('a login that finds none gets a pod of its own, and more are kept from then on, up to the most', async () => {
    const rig = await pool({ min: 1, max: 2 })
    await rig.filled(1)
    const sessions = [rig.enter(), rig.enter(), rig.enter()]
    const exits = await Promise.all(sessions.map((session) => run(session, 'exit 5')))
    for (const { exit } of exits) assert.deepEqual(exit, { kind: 'status', code: 5 })
    assert.equal(rig.codes().filter((code) => code === 'KUBERNETES_POOL_EMPTY').length, 2)
    await rig.filled(3)
    for (const session of sessions) await session[Symbol.asyncDispose]()
    await until('two to wait', async () => (await rig.all()).length === 2)
    await rig[Symbol.asyncDispose]()
    assert.deepEqual(await rig.all(), [])
  })

  test('when none can be made the log says why, logins are not kept from trying, and nothing is left', async () => {
    const spec = { containers: [{ name: 'shell', image: '127.0.0.1:1/nothing:1' }] }
    const rig = await pool({ min: 1 }, { pod: { spec } })
    await rig.logged('KUBERNETES_POOL_FILL_FAILED')
    const session = rig.enter()
    await assert.rejects(run(session, 'true'), { code: 'KUBERNETES_POD_WAIT_FAILED' })
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
    assert.deepEqual(await rig.all(), [])
  })

  test('a configuration of users has pods of its own, of which only so many kinds are kept', async () => {
    const rig = await pool({ min: 1, profiles: 1 })
    await rig.filled(1)
    const settingsOf = (hostname: string): UserSettings => {
      const { kubernetes } = rig.config
      const spec = { ...kubernetes.pod.spec, hostname }
      const own = schema.parse({ kubernetes: { ...kubernetes, pod: { ...kubernetes.pod, spec } } }).kubernetes
      return { ...rig.config, kubernetes: own, logLevel: 'debug', limits: undefined }
    }
    const enter = async (hostname: string): Promise<void> => {
      const member = { ...rig.occupant.member, settings: settingsOf(hostname) }
      const sandbox = await rig.backend.open({ ...rig.occupant, member }, limit())
      await sandbox[Symbol.asyncDispose]()
    }
    await enter('one')
    const [, one = ''] = await rig.filled(2)
    await enter('two')
    await rig.filled(3)
    // The pool of the file's own configuration stays, whatever users bring.
    const names = async (): Promise<string[]> => (await rig.all()).map(({ metadata }) => metadata.name)
    await until('the first kind to go', async () => !(await names()).includes(one))
    await until('one of each kind that is left', async () => (await names()).length === 2)
    await rig[Symbol.asyncDispose]()
    assert.deepEqual(await names(), [])
  })
})
