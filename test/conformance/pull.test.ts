/** Images from a real registry: policies, credentials, one pull for all, what users see of it, its end. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Fault } from '../../src/shared/codes/fault.ts'
import { enterRoom } from '../../src/workers/backends/session.ts'
import { until } from '../rigs/daemon.ts'
import { call, engine } from '../rigs/docker.ts'
import { type Registry, registry, registryUser } from '../rigs/registry.ts'
import { exec, pty, type Rig, type RoomOptions, room, run, talk } from './rig.ts'

const signal = (): AbortSignal => new AbortController().signal
const manifests = ({ seen }: Registry): number =>
  seen.filter((line) => /^(GET|HEAD) .*\/manifests\/1$/.test(line)).length

/** A room whose image is only in the registry. */
async function pulling(
  image: string,
  execution: Readonly<Record<string, unknown>> = {},
  timeouts: RoomOptions['timeouts'] = {},
): Promise<Rig> {
  return room({ timeouts, execution: { container: { Image: image }, ...execution } })
}

async function failure(rig: Rig): Promise<Fault> {
  return rig.backend.open(rig.occupant, signal()).then(
    () => assert.fail('it was opened'),
    (error: Fault) => error,
  )
}

async function forget(name: string): Promise<void> {
  const { socketPath } = await engine()
  await call(socketPath, 'DELETE', `/images/${name}?force=1`)
}

describe('the pull of an image', { concurrency: 3 }, () => {
  test('is made when the engine does not have it, and not again', async () => {
    await using from = await registry()
    const name = await from.publish()
    const before = manifests(from)
    for (const pulls of [1, 0]) {
      await using rig = await pulling(name)
      const session = rig.enter()
      assert.equal((await run(session, 'echo pulled')).stdout, 'pulled\n')
      await session[Symbol.asyncDispose]()
      assert.equal(rig.codes().filter((code) => code === 'DOCKER_IMAGE_PULL').length, pulls)
      const decision = rig.records.filter(({ code }) => code === 'DOCKER_IMAGE_PULL_NEEDED_CHECKING').at(-1)
      assert.equal(decision?.labels['pullNeeded'], pulls === 1)
    }
    assert.ok(manifests(from) > before)
  })

  test('is made at each login with the policy Always, and never with Never', async () => {
    await using from = await registry()
    const name = await from.publish()
    await using never = await pulling(name, { imagePullPolicy: 'Never' })
    assert.equal((await failure(never)).code, 'DOCKER_CONTAINER_CREATE_FAILED')
    assert.ok(!never.codes().includes('DOCKER_IMAGE_PULL'))
    await using always = await pulling(name, { imagePullPolicy: 'Always' })
    for (const pulls of [1, 2]) {
      const session = always.enter()
      assert.equal((await run(session, 'echo on')).stdout, 'on\n')
      await session[Symbol.asyncDispose]()
      assert.equal(always.codes().filter((code) => code === 'DOCKER_IMAGE_PULL').length, pulls)
    }
  })

  test('is one for all who wait for it', async () => {
    await using from = await registry()
    await using rig = await pulling(await from.publish())
    const release = from.hold()
    const sessions = [rig.enter(), rig.enter(), rig.enter()]
    const results = sessions.map((session) => run(session, 'echo on'))
    await rig.logged('DOCKER_IMAGE_PULL')
    release()
    for (const { stdout } of await Promise.all(results)) assert.equal(stdout, 'on\n')
    for (const session of sessions) await session[Symbol.asyncDispose]()
    assert.equal(rig.codes().filter((code) => code === 'DOCKER_IMAGE_PULL').length, 1)
  })

  const { username, password } = registryUser
  const auth = Buffer.from(`${username}:${password}`).toString('base64')
  test('is made with the credentials that are configured, in either form', async () => {
    await using from = await registry({ withLogin: true })
    const name = await from.publish()
    for (const credentials of [{ username, password }, { auth }, { auth, serveraddress: from.host }]) {
      await using rig = await pulling(name, { auth: credentials })
      const session = rig.enter()
      assert.equal((await run(session, 'echo in')).stdout, 'in\n')
      await session[Symbol.asyncDispose]()
      await forget(name)
    }
  })

  test('fails at once when the registry does not take the credentials, or wants some', async () => {
    await using from = await registry({ withLogin: true })
    const name = await from.publish()
    for (const execution of [{}, { auth: { username, password: 'wrong' } }]) {
      await using rig = await pulling(name, execution)
      const fault = await failure(rig)
      assert.deepEqual([fault.code, fault.level], ['DOCKER_IMAGE_PULL_FAILED', 'error'])
      assert.equal(rig.codes().filter((code) => code === 'DOCKER_IMAGE_PULL').length, 1)
      assert.doesNotMatch(JSON.stringify(rig.records), /wrong/)
    }
  })

  test('fails at once when the registry does not have the image', async () => {
    await using from = await registry()
    await using rig = await pulling(`${from.host}/no/such:1`)
    const fault = await failure(rig)
    assert.equal(fault.code, 'DOCKER_IMAGE_PULL_FAILED')
    assert.match(String(fault.labels['reason']), /not found|unknown/)
  })

  test('is given up after its own time, not that of the container', async () => {
    await using from = await registry()
    const timeouts = { imagePull: 600, containerStart: 60_000 }
    await using rig = await pulling(await from.publish(), {}, timeouts)
    const release = from.hold()
    const fault = await failure(rig)
    release()
    assert.equal(fault.code, 'DOCKER_IMAGE_PULL_FAILED')
    assert.match(String(fault.labels['reason']), /gave up after \d+ attempts?/)
  })
})

describe('who waits for a pull', { concurrency: 3 }, () => {
  for (const [what, lineEnd] of [
    ['a program', '\n'],
    ['a terminal', '\r\n'],
  ] as const) {
    test(`reads of it on the standard error of ${what}, and then gets what he asked for`, async () => {
      await using from = await registry()
      const name = await from.publish()
      await using rig = await pulling(name)
      const release = from.hold()
      const entered = await enterRoom(rig.backend, rig.occupant, signal())
      assert.ok(entered.accepted)
      const channel = await talk(entered.value, { keepOpen: true })
      if (what === 'a terminal') await channel.start(pty(80, 24))
      const started = channel.start(exec('echo on'))
      await until('words', () => channel.stderr.text.startsWith(`Pulling image ${name}`))
      release()
      await started
      await channel.exit
      assert.equal(channel.stdout.text.trim(), 'on')
      assert.match(channel.stderr.text, new RegExp(`^(Pulling image .*\\.${lineEnd})+$`))
      await entered.value[Symbol.asyncDispose]()
    })
  }

  test('reads nothing where that is switched off', async () => {
    await using from = await registry()
    await using rig = await pulling(await from.publish(), { pullProgress: false }, { imagePull: 2500 })
    const release = from.hold()
    const entered = await enterRoom(rig.backend, rig.occupant, signal())
    release()
    assert.equal(!entered.accepted && entered.fault.code, 'DOCKER_IMAGE_PULL_FAILED')
  })

  test('is told when it fails, and the connection ends, with one record at error', async () => {
    await using from = await registry()
    await using rig = await pulling(await from.publish(), {}, { imagePull: 2500 })
    const release = from.hold()
    const entered = await enterRoom(rig.backend, rig.occupant, signal())
    assert.ok(entered.accepted)
    const channel = await talk(entered.value)
    const verdict = await channel.ask(exec('true'))
    release()
    assert.ok(!verdict.accepted)
    assert.deepEqual([verdict.final, verdict.fault.userText], [true, 'Cannot pull the image'])
    assert.equal(rig.records.filter(({ level }) => level === 'error').length, 1)
    await entered.value[Symbol.asyncDispose]()
  })
})
