/** Several connections in one pod, on workers that know nothing of each other. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { newId } from '../../../src/shared/id.ts'
import { createSession } from '../../../src/workers/backends/session.ts'
import type { ConnectionId, Member, Session } from '../../../src/workers/ports.ts'
import { exec, run, talk } from '../../conformance/rig.ts'
import { until } from '../../rigs/daemon.ts'
import { startApiProxy } from '../../rigs/kubernetes/api-proxy.ts'
import { type KubernetesOptions, type KubernetesRig, kubernetesRoom, nothing, useCluster } from './rig.ts'

const limit = (): AbortSignal => AbortSignal.timeout(30_000)

/** Another connection, of this user. */
function enter(rig: KubernetesRig, member: Partial<Member> = {}): Session {
  const { peer } = rig.occupant
  const who = {
    peer: { ...peer, connectionId: newId() as ConnectionId },
    member: { ...rig.occupant.member, ...member },
  }
  return createSession(rig.backend, who, rig.backend.open(who, new AbortController().signal))
}

const leave = (...sessions: Session[]): Promise<unknown> =>
  Promise.all(sessions.map(async (session) => session[Symbol.asyncDispose]()))

describe('a pod that connections share', { concurrency: 1 }, () => {
  const cluster = useCluster()

  /** Workers of one server: each with a room of its own. */
  const workers = async (share: object, options: KubernetesOptions = {}) => {
    const mark = randomBytes(6).toString('hex')
    const metadata = { namespace: 'default', labels: { test: mark } }
    const make = (more: KubernetesOptions = {}): Promise<KubernetesRig> =>
      kubernetesRoom(cluster, { ...options, ...more, kubernetes: { share }, pod: { metadata } })
    const [a, b] = [await make(), await make()]
    const pods = async () => {
      const found = await a.api.listPods('default', `test=${mark}`, limit())
      return found.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    }
    return {
      a,
      b,
      make,
      pods,
      noPods: () => until('no pod', async () => (await pods()).length === 0),
      async [Symbol.asyncDispose]() {
        for (const rig of [a, b]) await rig[Symbol.asyncDispose]()
      },
    }
  }

  test('ten that come at once on two workers get one, see the same files, and the last one out removes it', async () => {
    await using house = await workers({ by: 'user' })
    const { a, b } = house
    const sessions = Array.from({ length: 10 }, (_, i) => enter(i % 2 === 0 ? a : b))
    await Promise.all(sessions.map((session, i) => run(session, `echo ${i} >> /all`)))
    assert.equal((await house.pods()).length, 1)
    const [last = enter(a), ...others] = sessions
    assert.equal((await run(last, 'wc -l < /all')).stdout.trim(), '10')
    await leave(...others)
    await until('nine to have left', async () => memberCount((await house.pods())[0]) === 1)
    assert.deepEqual((await run(last, 'exit 4')).exit, { kind: 'status', code: 4 })
    await leave(last)
    await house.noPods()
  })

  test('users have different ones, and each program has the environment of its own connection', async () => {
    await using house = await workers({ by: 'user' })
    const env = (value: string) => ({ environment: new Map([['WHO', { value, sensitive: false }]]) })
    const called = (name: string) => ({ username: name, authenticatedUsername: name })
    const sessions = [
      enter(house.a, { ...called('alice'), ...env('first') }),
      enter(house.b, { ...called('alice'), ...env('second') }),
      enter(house.a, { ...called('bob'), ...env('third') }),
    ]
    const said = await Promise.all(sessions.map((session) => run(session, 'echo $WHO')))
    assert.deepEqual(
      said.map(({ stdout }) => stdout),
      ['first\n', 'second\n', 'third\n'],
    )
    assert.equal((await house.pods()).length, 2)
    await leave(...sessions)
    await house.noPods()
  })

  test('whoever makes it and leaves before it runs does not take it from those who wait for it', async () => {
    await using house = await workers({ by: 'value', value: 'team' })
    const { a, b } = house
    const left = new AbortController()
    const first = { ...a.occupant, peer: { ...a.occupant.peer, connectionId: newId() as ConnectionId } }
    const opening = a.backend.open(first, left.signal)
    await a.logged('KUBERNETES_POD_WAIT')
    const second = enter(b)
    await until('both to be in it', async () => memberCount((await house.pods())[0]) === 2)
    left.abort(new Error('left'))
    await assert.rejects(opening)
    assert.deepEqual((await run(second, 'exit 9')).exit, { kind: 'status', code: 9 })
    assert.equal((await house.pods()).length, 1)
    await leave(second)
    await house.noPods()
  })

  test('the programs of whoever leaves end, those of others go on', async () => {
    await using house = await workers({ by: 'user' })
    const [stays, leaves] = [enter(house.a), enter(house.b)]
    const here = await talk(stays, { keepOpen: true })
    await here.start(exec('echo up; read line; exit 6'))
    const there = await talk(leaves, { keepOpen: true })
    await there.start(exec('sleep 1000 & echo $! > /pid; wait'))
    await until('the other program', async () => (await run(stays, 'cat /pid')).stdout !== '')
    await there.channel[Symbol.asyncDispose]()
    await leave(leaves)
    await until('the other program to end', async () => {
      const { stdout } = await run(stays, 'kill -0 $(cat /pid) 2>/dev/null && echo alive || echo gone')
      return stdout === 'gone\n'
    })
    here.stdin.write('go\n')
    assert.deepEqual(await here.exit, { kind: 'status', code: 6 })
    await leave(stays)
    await house.noPods()
  })

  test('it lingers for whoever comes back, and not for ever', async () => {
    await using house = await workers({ by: 'user', linger: 3000 })
    const first = enter(house.a)
    await run(first, 'echo kept > /note')
    await leave(first)
    const again = enter(house.b)
    assert.equal((await run(again, 'cat /note')).stdout, 'kept\n')
    await leave(again)
    assert.equal((await house.pods()).length, 1)
    await house.noPods()
  })

  test('so many at a time, and no more: of two that come for the last place one gets it', async () => {
    await using house = await workers({ by: 'user', maxConnections: 2 })
    const { a, b } = house
    const first = enter(a)
    await run(first, 'true')
    const two = [enter(a), enter(b)]
    const tried = await Promise.allSettled(two.map((session) => run(session, 'true')))
    const refused = tried.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    assert.deepEqual(
      refused.map(({ code }) => code),
      ['KUBERNETES_SHARE_FULL'],
    )
    await leave(first, ...two)
    await house.noPods()
  })

  test('what a worker that died was in is removed when nobody else is in it, and not before', async () => {
    const script = `import(${JSON.stringify(import.meta.resolve('../../../src/shared/identity.ts'))}).then((m) => console.log(m.ownerLabel()))`
    const dead = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' }).stdout.trim()
    await using house = await workers({ by: 'user' })
    const { a } = house
    // It made the pod, and never leaves.
    await using ghost = await house.make({ owner: dead })
    await run(enter(ghost), 'true')
    const session = enter(a)
    await run(session, 'true')
    await a.backend.reap(limit())
    const [pod] = await house.pods()
    // What the dead left on it is taken away.
    assert.equal(memberCount(pod), 1)
    assert.deepEqual((await run(session, 'exit 3')).exit, { kind: 'status', code: 3 })
    await leave(session)
    await house.noPods()
    await run(enter(ghost), 'true')
    assert.equal((await house.pods()).length, 1)
    await a.backend.reap(limit())
    assert.deepEqual(await house.pods(), [])
  })

  test('an API server that is busy is asked again; one that keeps nothing: refused; whoever cannot leave is taken for gone', async () => {
    await using proxy = await startApiProxy(cluster)
    await using house = await workers({ by: 'user' }, { connection: { ...nothing, host: proxy.url } })
    const { a, b } = house
    const first = enter(a)
    await run(first, 'true')
    proxy.rules = [{ match: /^PATCH .*\/pods\//, times: 2, answer: { status: 503, message: 'busy' } }]
    const second = enter(b)
    assert.deepEqual((await run(second, 'exit 2')).exit, { kind: 'status', code: 2 })
    proxy.rules = [{ match: /^PATCH .*\/pods\//, answer: { status: 403, message: 'not allowed' } }]
    await assert.rejects(run(enter(a), 'true'), { code: 'KUBERNETES_SHARE_FAILED' })
    assert.equal(
      (await a.logged('KUBERNETES_SHARE_FAILED', ({ level }) => level === 'error')).labels['statusCode'],
      403,
    )
    await leave(first, second)
    await b.logged('KUBERNETES_SHARE_LEAVE_FAILED')
    proxy.rules = []
    assert.equal((await house.pods()).length, 1)
    await a.backend.reap(limit())
    assert.deepEqual(await house.pods(), [])
  })

  test('a pod that was deleted is replaced for the next who comes', async () => {
    await using house = await workers({ by: 'user' })
    const first = enter(house.a)
    await run(first, 'true')
    const [pod] = await house.pods()
    assert.ok(pod !== undefined)
    await house.a.api.deletePod(pod.metadata, undefined, limit())
    const second = enter(house.b)
    assert.deepEqual((await run(second, 'exit 5')).exit, { kind: 'status', code: 5 })
    assert.notEqual((await house.pods())[0]?.metadata.uid, pod.metadata.uid)
    await leave(first, second)
    await house.noPods()
  })
})

const memberCount = (pod: { metadata: { annotations?: Readonly<Record<string, string>> } } | undefined): number =>
  Object.keys(pod?.metadata.annotations ?? {}).filter((name) => name.startsWith('containerssh_member_')).length
