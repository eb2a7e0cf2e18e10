/** Containers that are made ahead: who gets them, what is in them, what becomes of those that nobody gets. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { schema } from '../../src/shared/config/schema.ts'
import type { UserSettings } from '../../src/shared/config/user/settings.ts'
import type { Member } from '../../src/workers/ports.ts'
import { until } from '../rigs/daemon.ts'
import { call, engine, image } from '../rigs/docker.ts'
import { engineProxy } from '../rigs/engine-proxy.ts'
import { containersOf, exec, type Rig, type RoomOptions, room, run, talk } from './rig.ts'

const unique = (): string => `pool-test=${randomBytes(6).toString('hex')}`

interface PoolRig extends Rig {
  /** Ids of all containers, ready or not. */
  all(): Promise<string[]>
  /** Waits until so many have been made ahead since the start. */
  filled(count: number): Promise<string[]>
}

async function pool(options: RoomOptions, pool: object, label = unique(), Image?: string): Promise<PoolRig> {
  const [name = '', value = ''] = label.split('=')
  const container = { Image: Image ?? (await image('containerssh-test/busybox:1')), Labels: { [name]: value } }
  const rig = await room({ ...options, docker: { pool }, execution: { container, ...options.execution } })
  const made = (): string[] =>
    rig.records.filter(({ code }) => code === 'DOCKER_POOL_FILLED').map(({ labels }) => String(labels['containerId']))
  return Object.assign(rig, {
    all: () => containersOf(label),
    filled: async (count: number) => {
      await until(`${count} containers made ahead; ${rig.codes().join(' ')}`, () => made().length >= count, 60_000)
      return made()
    },
  })
}

const claimed = (rig: Rig): string[] =>
  rig.records.filter(({ code }) => code === 'DOCKER_POOL_CLAIMED').map(({ labels }) => String(labels['containerId']))

async function nameOf(id: string): Promise<string> {
  const { socketPath } = await engine()
  return (JSON.parse((await call(socketPath, 'GET', `/containers/${id}/json`)).body) as { Name: string }).Name
}

async function kill(id: string): Promise<void> {
  const { socketPath } = await engine()
  assert.equal((await call(socketPath, 'POST', `/containers/${id}/kill`)).status, 204)
}

describe('containers that are made ahead', { concurrency: 2 }, () => {
  test('each is given out once, is named after its connection, and is removed with it; another one follows', async () => {
    const rig = await pool({}, { min: 2 })
    const first = await rig.filled(2)
    const [a, b] = [rig.enter(), rig.enter()]
    assert.equal((await run(a, 'echo a > /mark; exit 3')).exit.kind, 'status')
    assert.equal((await run(b, 'cat /mark')).stdout, '')
    assert.deepEqual(claimed(rig).toSorted(), first.toSorted())
    await until('the name', async () => {
      const names = await Promise.all(first.map(nameOf))
      return names.includes(`/containerssh_${rig.occupant.peer.connectionId}`)
    })
    const all = await rig.filled(4)
    for (const session of [a, b]) await session[Symbol.asyncDispose]()
    await until('those of the users to go', async () => (await rig.all()).length === 2)
    assert.deepEqual((await rig.all()).toSorted(), all.slice(2).toSorted())
    await rig[Symbol.asyncDispose]()
    assert.deepEqual(await rig.all(), [])
  })

  test('are removed when no more logins come, and those who are in one stay', async () => {
    await using rig = await pool({}, { min: 2 })
    const ready = await rig.filled(2)
    const session = rig.enter()
    assert.equal((await run(session, 'echo in')).stdout, 'in\n')
    rig.backend.retire?.()
    await until('the others to go', async () => (await rig.all()).length === 1)
    assert.deepEqual(await rig.all(), claimed(rig))
    assert.ok(ready.includes(claimed(rig)[0] ?? ''))
    assert.equal((await run(session, 'echo still in')).stdout, 'still in\n')
    await session[Symbol.asyncDispose]()
  })

  test('one that the engine does not rename is given out all the same', async () => {
    await using proxy = await engineProxy([{ match: /\/rename/, answer: { status: 500, message: 'in flames' } }])
    const rig = await pool({ host: proxy.host }, { min: 1 })
    await rig.filled(1)
    const session = rig.enter()
    assert.deepEqual((await run(session, 'exit 2')).exit, { kind: 'status', code: 2 })
    await rig.logged('DOCKER_POOL_RENAME_FAILED')
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  })

  test('programs have the environment of their user, variables of the channel win, and his files are there', async () => {
    const datum = (value: string) => ({ value, sensitive: false })
    const member: Partial<Member> = {
      environment: new Map([
        ['FROM_LOGIN', datum('a b=c')],
        ['BOTH', datum('login')],
      ]),
      files: new Map([['/root/note', { value: Buffer.from('hello'), sensitive: false }]]) as Member['files'],
    }
    const rig = await pool({ member }, { min: 1 })
    await rig.filled(1)
    const session = rig.enter()
    const channel = await talk(session)
    await channel.start({ kind: 'env', name: 'BOTH', value: 'channel' })
    await channel.start(exec('echo "$FROM_LOGIN $BOTH $(cat /root/note)"'))
    await channel.exit
    assert.equal(channel.stdout.text, 'a b=c channel hello\n')
    assert.equal(claimed(rig).length, 1)
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  })

  for (const events of ['told by the engine', 'not told'] as const) {
    test(`one that died is never given out, its death ${events}, and another takes its place`, async () => {
      await using proxy = await engineProxy(
        events === 'not told' ? [{ match: /^GET \/events/, answer: { status: 500, message: 'no events' } }] : [],
      )
      const rig = await pool({ host: proxy.host }, { min: 1 })
      const [victim = ''] = await rig.filled(1)
      await kill(victim)
      if (events === 'told by the engine') await rig.filled(2)
      const session = rig.enter()
      assert.deepEqual((await run(session, 'exit 7')).exit, { kind: 'status', code: 7 })
      assert.ok(!claimed(rig).includes(victim))
      await rig.logged('DOCKER_POOL_CONTAINER_LOST', ({ labels }) => labels['containerId'] === victim)
      await rig.filled(2)
      await session[Symbol.asyncDispose]()
      await rig[Symbol.asyncDispose]()
      assert.deepEqual(await rig.all(), [])
    })
  }

  test('a login that finds none gets a container of its own, and more are kept from then on, up to the most', async () => {
    const rig = await pool({}, { min: 1, max: 2 })
    await rig.filled(1)
    const sessions = [rig.enter(), rig.enter(), rig.enter()]
    const exits = await Promise.all(sessions.map((session) => run(session, 'exit 5')))
    for (const { exit } of exits) assert.deepEqual(exit, { kind: 'status', code: 5 })
    assert.equal(rig.codes().filter((code) => code === 'DOCKER_POOL_EMPTY').length, 2)
    await rig.filled(3)
    for (const session of sessions) await session[Symbol.asyncDispose]()
    await until('two to wait', async () => (await rig.all()).length === 2)
    await rig[Symbol.asyncDispose]()
  })

  test('a client that left before it got its container leaves none behind', async () => {
    const rig = await pool({}, { min: 2 })
    const first = await rig.filled(2)
    const left = new AbortController()
    left.abort(new Error('left'))
    const session = rig.enter(left.signal)
    await session[Symbol.asyncDispose]()
    await until('nobody in it', async () => (await rig.all()).every((id) => !claimed(rig).includes(id)))
    const other = rig.enter()
    await run(other, 'true')
    assert.equal(new Set(claimed(rig)).size, claimed(rig).length)
    assert.ok(claimed(rig).every((id) => first.includes(id)))
    await other[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
  })

  test('a configuration of users has containers of its own, of which only so many kinds are kept', async () => {
    const label = unique()
    const rig = await pool({}, { min: 1, profiles: 1 }, label)
    await rig.filled(1)
    const settingsOf = (hostname: string): UserSettings => {
      const { docker } = rig.config
      const container = { ...docker.execution.container, Hostname: hostname }
      const own = schema.parse({ docker: { ...docker, execution: { ...docker.execution, container } } }).docker
      return { ...rig.config, docker: own, logLevel: 'debug', limits: undefined }
    }
    const enter = async (hostname: string): Promise<void> => {
      const member = { ...rig.occupant.member, settings: settingsOf(hostname) }
      const sandbox = await rig.backend.open({ ...rig.occupant, member }, new AbortController().signal)
      await sandbox[Symbol.asyncDispose]()
    }
    await enter('one')
    const [, one = ''] = await rig.filled(2)
    await enter('two')
    await rig.filled(3)
    // The pool of the file's own configuration stays, whatever users bring.
    await until('the first kind to go', async () => !(await rig.all()).includes(one))
    await until('one of each kind that is left', async () => (await rig.all()).length === 2)
    await rig[Symbol.asyncDispose]()
    assert.deepEqual(await rig.all(), [])
  })

  test('when the name of the image comes to mean another one, those made of the old one are replaced', async () => {
    const { socketPath } = await engine()
    const source = await image('containerssh-test/busybox:1')
    const tag = async (from: string, to: string): Promise<void> => {
      const [repo = '', tag = ''] = to.split(':')
      const answer = await call(socketPath, 'POST', `/images/${from}/tag?repo=${repo}&tag=${tag}`)
      assert.equal(answer.status, 201, answer.body)
    }
    const name = `containerssh-test/moving:${randomBytes(6).toString('hex')}`
    await tag(source, name)
    const rig = await pool({ execution: { imagePullPolicy: 'Never' } }, { min: 1 }, unique(), name)
    try {
      const [old = ''] = await rig.filled(1)
      await tag(await image('containerssh-test/noshell:1'), name)
      await tag(source, `${name}-kept`)
      await until('the old one to go', async () => {
        await rig.backend.reap(new AbortController().signal)
        return !(await rig.all()).includes(old)
      })
    } finally {
      await rig[Symbol.asyncDispose]()
      for (const one of [name, `${name}-kept`]) await call(socketPath, 'DELETE', `/images/${one}`)
    }
  })
})
