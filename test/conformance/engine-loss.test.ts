/** An engine of the test's own is stopped, killed and started again under users and under containers made ahead. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { call } from '../rigs/docker.ts'
import { type PrivateEngine, privateEngine } from '../rigs/private-engine.ts'
import { exec, type Mode, type Rig, room, run, type Talk, talk } from './rig.ts'

const lost = { kind: 'status', code: 137 }

describe('an engine that goes away', { concurrency: 1 }, () => {
  let engine: PrivateEngine
  before(async () => {
    engine = await privateEngine()
  })
  after(() => engine[Symbol.asyncDispose]())

  const open = (pool = 0, mode: Mode = 'connection'): Promise<Rig> =>
    room({
      mode,
      host: engine.host,
      execution: { host: { NetworkMode: 'none' }, imagePullPolicy: 'Never' },
      docker: { pool: { min: pool } },
    })
  const isReady = (rig: Rig, count: number): Promise<unknown> =>
    until(`${count} made ahead`, () => rig.codes().filter((code) => code === 'DOCKER_POOL_FILLED').length >= count)
  const busy = async (rig: Rig): Promise<Talk> => {
    const channel = await talk(rig.enter(), { keepOpen: true })
    await channel.start(exec('echo up; sleep 1000'))
    await until('the program', () => channel.stdout.text === 'up\n')
    return channel
  }
  const isEmpty = (): Promise<unknown> =>
    until('no container', async () => (await engine.containers('containerssh_owner')).length === 0, 30_000)

  for (const how of ['stop', 'kill'] as const) {
    test(`its ${how} in the middle of a program: one line, an exit status, and the room goes on when it is back`, async () => {
      const rig = await open(1)
      await isReady(rig, 1)
      const session = rig.enter()
      const channel = await talk(session, { keepOpen: true })
      await channel.start(exec('echo up; cat'))
      await until('the program', () => channel.stdout.text === 'up\n')
      await isReady(rig, 2)
      const exit = channel.exit
      await engine[how]()
      if (how === 'kill') {
        // Its streams do not go through the engine, which ends its containers when it comes back.
        channel.stdin.write('there?\n')
        await until('an answer', () => channel.stdout.text === 'up\nthere?\n')
        await engine.start()
      }
      assert.deepEqual(await exit, lost)
      assert.match(channel.stderr.text, /^\r\nthe container[^\r\n]*\r\n$/)
      await rig.logged('DOCKER_PROGRAM_LOST')
      if (how === 'stop') await engine.start()
      // What was ready before is not given out any more, and another takes its place.
      await rig.logged('DOCKER_POOL_CONTAINER_LOST')
      await isReady(rig, 3)
      const next = rig.enter()
      assert.deepEqual((await run(next, 'exit 9')).exit, { kind: 'status', code: 9 })
      for (const one of [session, next]) await one[Symbol.asyncDispose]()
      await rig[Symbol.asyncDispose]()
      await isEmpty()
    })
  }

  test('its kill in session mode: one line, and the exit status that it remembers', async () => {
    const rig = await open(0, 'session')
    const channel = await busy(rig)
    await engine.kill()
    await engine.start()
    const exit = await channel.exit
    assert.notDeepEqual(exit, { kind: 'status', code: 0 })
    assert.equal(channel.stderr.text, '\r\nthe connection to the container engine broke: output may be missing\r\n')
    await rig.logged('DOCKER_PROGRAM_LOST')
    await rig[Symbol.asyncDispose]()
    await isEmpty()
  })

  test('a container that somebody ends takes its programs along, and their users are told', async () => {
    const rig = await open()
    const channel = await busy(rig)
    const [id = ''] = await engine.containers('containerssh_owner')
    await call(engine.socketPath, 'POST', `/containers/${id}/kill`)
    assert.deepEqual(await channel.exit, lost)
    assert.equal(channel.stderr.text, '\r\nthe container has ended, and the program with it\r\n')
    await rig.logged('DOCKER_PROGRAM_LOST')
    await rig[Symbol.asyncDispose]()
    await call(engine.socketPath, 'DELETE', `/containers/${id}?force=1`)
    await isEmpty()
  })

  test('a login while the engine is away waits for it', async () => {
    const rig = await open()
    await engine.kill()
    const session = rig.enter()
    const running = run(session, 'exit 8')
    await rig.logged('DOCKER_IMAGE_LISTING_FAILED')
    await engine.start()
    assert.deepEqual((await running).exit, { kind: 'status', code: 8 })
    await session[Symbol.asyncDispose]()
    await rig[Symbol.asyncDispose]()
    await isEmpty()
  })
})
