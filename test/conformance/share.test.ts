/** Several connections in one container, on workers that know nothing of each other. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { newId } from '../../src/shared/id.ts'
import { createSession } from '../../src/workers/backends/session.ts'
import type { ConnectionId, Member, Session } from '../../src/workers/ports.ts'
import { until } from '../rigs/daemon.ts'
import { call, engine, image } from '../rigs/docker.ts'
import { engineProxy } from '../rigs/engine-proxy.ts'
import { startMortal } from '../rigs/mortal.ts'
import { containersOf, exec, type Rig, type RoomOptions, room, run, talk } from './rig.ts'

/** Workers of one server: each with a room of its own, and the same name. */
async function workers(count: number, share: object, options: RoomOptions = {}) {
  const [name = '', value = ''] = ['share-test', randomBytes(6).toString('hex')]
  const container = { Image: await image('containerssh-test/busybox:1'), Labels: { [name]: value } }
  const make = (more: RoomOptions = {}): Promise<Rig> =>
    room({ ...options, ...more, named: value, docker: { share }, execution: { container } })
  const rigs = await Promise.all(Array.from({ length: count }, () => make()))
  return {
    rigs,
    make,
    containers: () => containersOf(`${name}=${value}`),
    noContainers: (timeoutMs?: number) =>
      until('no container', async () => (await containersOf(`${name}=${value}`)).length === 0, timeoutMs),
    noMarks: () => until('no mark', async () => (await marksOf(value)).length === 0),
    async [Symbol.asyncDispose]() {
      for (const rig of rigs) await rig[Symbol.asyncDispose]()
    },
  }
}

/** Another connection, of this user. */
function enter(rig: Rig, member: Partial<Member> = {}): Session {
  const { peer } = rig.occupant
  const who = {
    peer: { ...peer, connectionId: newId() as ConnectionId },
    member: { ...rig.occupant.member, ...member },
  }
  return createSession(rig.backend, who, rig.backend.open(who, new AbortController().signal))
}

const called = (name: string): Partial<Member> => ({ username: name, authenticatedUsername: name })
const withTeam = (team: string): Partial<Member> => ({
  metadata: new Map([['team', { value: team, sensitive: false }]]),
})

async function marksOf(instance: string): Promise<string[]> {
  const { socketPath } = await engine()
  const filters = encodeURIComponent(
    JSON.stringify({ label: ['containerssh_mark', `containerssh_instance=${instance}`] }),
  )
  const { body } = await call(socketPath, 'GET', `/volumes?filters=${filters}`)
  return ((JSON.parse(body) as { Volumes: { Name: string }[] | null }).Volumes ?? []).map(({ Name }) => Name)
}

describe('a container that connections share', { concurrency: 1 }, () => {
  test('ten that come at once on two workers get one, see the same files, and the last one out removes it', async () => {
    await using house = await workers(2, { by: 'user' })
    const [a, b] = house.rigs
    assert.ok(a !== undefined && b !== undefined)
    const sessions = Array.from({ length: 10 }, (_, i) => enter(i % 2 === 0 ? a : b))
    await Promise.all(sessions.map((session, i) => run(session, `echo ${i} >> /all`)))
    assert.equal((await house.containers()).length, 1)
    const { stdout } = await run(sessions[7] ?? enter(b), 'wc -l < /all')
    assert.equal(stdout.trim(), '10')
    const [last, ...others] = sessions
    for (const session of others) await session[Symbol.asyncDispose]()
    assert.deepEqual((await run(last ?? enter(a), 'exit 4')).exit, { kind: 'status', code: 4 })
    assert.equal((await house.containers()).length, 1)
    await last?.[Symbol.asyncDispose]()
    await house.noContainers()
    await house.noMarks()
  })

  test('users have different ones, and each program has the environment of its own connection', async () => {
    await using house = await workers(1, { by: 'user' })
    const [rig] = house.rigs
    assert.ok(rig !== undefined)
    const env = (value: string) => ({ environment: new Map([['WHO', { value, sensitive: false }]]) })
    const sessions = [
      enter(rig, { ...called('alice'), ...env('first') }),
      enter(rig, { ...called('alice'), ...env('second') }),
      enter(rig, { ...called('bob'), ...env('third') }),
    ]
    const said = await Promise.all(sessions.map((session) => run(session, 'echo $WHO')))
    assert.deepEqual(
      said.map(({ stdout }) => stdout),
      ['first\n', 'second\n', 'third\n'],
    )
    assert.equal((await house.containers()).length, 2)
    for (const session of sessions) await session[Symbol.asyncDispose]()
    await house.noContainers()
  })

  test('by metadata: the same value shares, and who has none has a container of his own', async () => {
    await using house = await workers(1, { by: 'metadata', key: 'team' })
    const [rig] = house.rigs
    assert.ok(rig !== undefined)
    const sessions = [
      enter(rig, { ...called('alice'), ...withTeam('red') }),
      enter(rig, { ...called('bob'), ...withTeam('red') }),
      enter(rig, called('carol')),
    ]
    await Promise.all(sessions.map((session) => run(session, 'true')))
    assert.equal((await house.containers()).length, 2)
    for (const session of sessions) await session[Symbol.asyncDispose]()
    await house.noContainers()
  })

  test('the programs of whoever leaves end, those of others go on', async () => {
    await using house = await workers(2, { by: 'user' })
    const [a, b] = house.rigs
    assert.ok(a !== undefined && b !== undefined)
    const [stays, leaves] = [enter(a), enter(b)]
    const here = await talk(stays, { keepOpen: true })
    await here.start(exec('echo up; read line; exit 6'))
    const there = await talk(leaves, { keepOpen: true })
    await there.start(exec('sleep 1000 & echo $! > /pid; wait'))
    await until('both', async () => (await run(stays, 'cat /pid')).stdout.endsWith('\n'))
    await there.channel[Symbol.asyncDispose]()
    await leaves[Symbol.asyncDispose]()
    await until('the other program to end', async () => {
      const { stdout } = await run(stays, 'kill -0 $(cat /pid) 2>/dev/null && echo alive || echo gone')
      return stdout === 'gone\n'
    })
    here.stdin.write('go\n')
    assert.deepEqual(await here.exit, { kind: 'status', code: 6 })
    await stays[Symbol.asyncDispose]()
    await house.noContainers()
  })

  test('a program ends too whose user leaves before it has begun', async () => {
    await using house = await workers(2, { by: 'user' })
    const [a, b] = house.rigs
    assert.ok(a !== undefined && b !== undefined)
    const stays = enter(a)
    await run(stays, 'true')
    for (let round = 0; round < 10; round++) {
      const leaves = enter(b)
      const there = await talk(leaves, { keepOpen: true })
      await there.start(exec('echo $$ >> /begun; exec sleep 1000'))
      await there.channel[Symbol.asyncDispose]()
      await leaves[Symbol.asyncDispose]()
    }
    // One that was ended before it could say that it had begun has said nothing.
    const looks = 'grep -l 100[0] /proc/[0-9]*/cmdline; cat /begun'
    let before = ''
    await until('all programs to end, and none to begin', async () => {
      const { stdout } = await run(stays, looks)
      const isSame = stdout === before
      before = stdout
      await setTimeout(300)
      return isSame && !stdout.includes('cmdline')
    })
    await stays[Symbol.asyncDispose]()
    await house.noContainers()
  })

  test('it lingers for whoever comes back, and not for ever', async () => {
    await using house = await workers(2, { by: 'user', linger: 1500 })
    const [a, b] = house.rigs
    assert.ok(a !== undefined && b !== undefined)
    const first = enter(a)
    await run(first, 'echo kept > /note')
    await first[Symbol.asyncDispose]()
    const again = enter(b)
    assert.equal((await run(again, 'cat /note')).stdout, 'kept\n')
    await again[Symbol.asyncDispose]()
    assert.equal((await house.containers()).length, 1)
    await house.noContainers(10_000)
  })

  test('so many at a time, and no more: of two that come for the last place one gets it', async () => {
    await using house = await workers(2, { by: 'user', maxConnections: 2 })
    const [a, b] = house.rigs
    assert.ok(a !== undefined && b !== undefined)
    const first = enter(a)
    await run(first, 'true')
    const two = [enter(a), enter(b)]
    const tried = await Promise.allSettled(two.map((session) => run(session, 'true')))
    const refused = tried.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    assert.deepEqual(
      refused.map(({ code }) => code),
      ['DOCKER_SHARE_FULL'],
    )
    const [line] = house.rigs.flatMap(({ records }) => records.filter(({ code }) => code === 'DOCKER_SHARE_FULL'))
    assert.equal(line?.labels['limit'], 2)
    for (const session of [first, ...two]) await session[Symbol.asyncDispose]()
    await house.noContainers()
  })

  test('what a worker that died was in is removed when nobody else is in it, and not before', async () => {
    await using house = await workers(1, { by: 'user' })
    const [rig] = house.rigs
    assert.ok(rig !== undefined)
    // It made the container, and never leaves.
    await using first = await startMortal()
    await using ghost = await house.make({ owner: first.label })
    await run(enter(ghost), 'true')
    const session = enter(rig)
    await run(session, 'true')
    await first.die()
    const round = (): Promise<number> => rig.backend.reap(AbortSignal.timeout(20_000))
    await round()
    assert.equal((await house.containers()).length, 1)
    assert.deepEqual((await run(session, 'exit 3')).exit, { kind: 'status', code: 3 })
    await session[Symbol.asyncDispose]()
    await house.noContainers()
    await using second = await startMortal()
    await using other = await house.make({ owner: second.label })
    await run(enter(other), 'true')
    await round()
    assert.equal((await house.containers()).length, 1)
    await second.die()
    await round()
    await house.noContainers()
    await house.noMarks()
  })

  test('an engine that does not keep marks: the login is refused; one that does not answer whoever leaves: told, and made up for', async () => {
    await using proxy = await engineProxy([
      { match: /^POST \/volumes\/create/, times: 3, answer: { status: 500, message: 'full' } },
    ])
    await using house = await workers(1, { by: 'user' }, { host: proxy.host })
    const [rig] = house.rigs
    assert.ok(rig !== undefined)
    await assert.rejects(run(enter(rig), 'true'), { code: 'DOCKER_SHARE_FAILED' })
    await rig.logged('DOCKER_SHARE_FAILED')
    proxy.rules = []
    const session = enter(rig)
    await run(session, 'true')
    proxy.rules = [{ match: /^DELETE \/volumes/, answer: { status: 500, message: 'in flames' } }]
    await session[Symbol.asyncDispose]()
    await rig.logged('DOCKER_SHARE_LEAVE_FAILED')
    proxy.rules = []
    assert.equal((await house.containers()).length, 1)
    await rig.backend.reap(AbortSignal.timeout(20_000))
    assert.deepEqual(await house.containers(), [])
  })

  test('a container that has ended is replaced for the next who comes', async () => {
    await using house = await workers(1, { by: 'user' })
    const [rig] = house.rigs
    assert.ok(rig !== undefined)
    const first = enter(rig)
    await run(first, 'true')
    const [id = ''] = await house.containers()
    const { socketPath } = await engine()
    await call(socketPath, 'POST', `/containers/${id}/kill`)
    const second = enter(rig)
    assert.deepEqual((await run(second, 'exit 5')).exit, { kind: 'status', code: 5 })
    assert.ok(!(await house.containers()).includes(id))
    for (const session of [first, second]) await session[Symbol.asyncDispose]()
    await house.noContainers()
  })
})
