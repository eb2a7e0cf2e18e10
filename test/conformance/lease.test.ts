/** Servers that see nothing of each other but what they keep on the engine. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { schema } from '../../src/shared/config/schema.ts'
import { ownerLabel } from '../../src/shared/identity.ts'
import { createTurns } from '../../src/shared/turns.ts'
import { createCleanup } from '../../src/workers/backends/docker/cleanup.ts'
import { connect } from '../../src/workers/backends/docker/client.ts'
import { createDirect } from '../../src/workers/backends/docker/direct/direct.ts'
import { createEngine } from '../../src/workers/backends/docker/engine.ts'
import { createLease } from '../../src/workers/backends/docker/lease.ts'
import { reap } from '../../src/workers/backends/docker/reap.ts'
import { call, engine } from '../rigs/docker.ts'
import { engineProxy } from '../rigs/engine-proxy.ts'
import { containersOf, room, run } from './rig.ts'

/** The label of a process on another machine. */
const stranger = (): string => `${randomBytes(6).toString('hex')}-${randomBytes(4).toString('hex')}-1-2-3`

async function leasesOf(owner: string): Promise<string[]> {
  const { socketPath } = await engine()
  const filters = encodeURIComponent(JSON.stringify({ label: [`containerssh_lease=${owner}`] }))
  const { body } = await call(socketPath, 'GET', `/volumes?filters=${filters}`)
  return ((JSON.parse(body) as { Volumes: { Name: string }[] | null }).Volumes ?? []).map(({ Name }) => Name)
}

/** What one server does in its rounds, as fast as the test wants. */
async function server(owner: string, host?: string) {
  const { docker } = schema.parse({ docker: { connection: { host: host ?? (await engine()).host } } })
  const own = createEngine(connect(docker.connection, 5000))
  const rig = await room({ owner, named: 'lease-test' })
  const { log } = rig.occupant.peer
  const identity = { owner, instance: 'lease-test' }
  const lease = createLease(own, identity, log)
  const cleanup = createCleanup(own, 10_000, createTurns(2, 100))
  const direct = createDirect(own, identity)
  return {
    rig,
    lease,
    async round() {
      await lease.renew()
      return reap({ engine: own, identity, cleanup, lease, direct }, log, AbortSignal.timeout(20_000))
    },
    async [Symbol.asyncDispose]() {
      await lease[Symbol.asyncDispose]()
      await rig[Symbol.asyncDispose]()
      own.close()
    },
  }
}

test('containers of a server out of sight stay while it renews its lease, and go when it does not any more', async () => {
  const away = stranger()
  await using ours = await server(ownerLabel())
  const theirs = await server(away)
  const session = theirs.rig.enter()
  await run(session, 'true')
  const containers = (): Promise<string[]> => containersOf(`containerssh_owner=${away}`)
  for (let round = 0; round < 8; round++) {
    await theirs.lease.renew()
    await ours.round()
    assert.equal((await containers()).length, 1)
  }
  // Dead from here on: nobody renews, nobody cleans up.
  for (let round = 0; round < 4; round++) await ours.round()
  assert.equal((await containers()).length, 1)
  for (let round = 0; round < 4; round++) await ours.round()
  assert.deepEqual(await containers(), [])
  assert.deepEqual(await leasesOf(away), [])
  await ours.rig.logged('DOCKER_REAPED', ({ labels }) => labels['owner'] === away)
  await session[Symbol.asyncDispose]()
  await theirs[Symbol.asyncDispose]()
})

test('a server without a lease is never taken for gone, as little can be known about it', async () => {
  const away = stranger()
  await using ours = await server(ownerLabel())
  await using theirs = await room({ owner: away })
  const session = theirs.enter()
  await run(session, 'true')
  for (let round = 0; round < 12; round++) await ours.round()
  assert.equal((await containersOf(`containerssh_owner=${away}`)).length, 1)
  await session[Symbol.asyncDispose]()
})

test('an engine that does not answer is no sign of anybody being gone, and is told', async () => {
  await using proxy = await engineProxy()
  const away = stranger()
  await using ours = await server(ownerLabel(), proxy.host)
  const theirs = await server(away)
  const session = theirs.rig.enter()
  await run(session, 'true')
  await theirs.lease.renew()
  await ours.round()
  proxy.rules = [{ match: /volumes/, answer: { status: 500, message: 'in flames' } }]
  for (let round = 0; round < 10; round++) await ours.round()
  proxy.rules = []
  await theirs.lease.renew()
  await ours.round()
  await ours.rig.logged('DOCKER_LEASE_FAILED')
  assert.equal((await containersOf(`containerssh_owner=${away}`)).length, 1)
  await session[Symbol.asyncDispose]()
  await theirs[Symbol.asyncDispose]()
})

test('a lease ends with its server', async () => {
  const owner = stranger()
  const one = await server(owner)
  await one.lease.renew()
  assert.equal(await one.lease.isHeld(), true)
  assert.ok((await leasesOf(owner)).length > 0)
  await one[Symbol.asyncDispose]()
  assert.deepEqual(await leasesOf(owner), [])
})
