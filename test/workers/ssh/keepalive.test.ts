import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Verdict } from '../../../src/workers/ports.ts'
import { message } from '../../../src/workers/ssh/numbers.ts'
import { refusal, type Script, serve, settle } from './double.ts'

const request = 'global keepalive@openssh.com true'
const answer = Buffer.of(message.requestFailure)

async function loggedIn(context: TestContext, script: Script = {}): Promise<ReturnType<typeof serve>> {
  context.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] })
  const served = serve({ ssh: { clientAliveInterval: 1000, clientAliveCountMax: 2 }, ...script })
  await served.client.login()
  return served
}
const missed = (served: ReturnType<typeof serve>): unknown[] =>
  served.records.filter(({ code }) => code === 'SSH_KEEPALIVE_NORESP').map(({ labels }) => labels['missed'])

test('asks every interval, and any message counts as a sign of life', async (context) => {
  const served = await loggedIn(context)
  const { client, wire } = served
  for (let i = 0; i < 6; i++) {
    context.mock.timers.tick(1000)
    assert.deepEqual(await client.heard(), [request])
    client.send(i % 2 === 0 ? answer : Buffer.of(message.userauthRequest))
  }
  assert.equal(wire.ended, undefined)
  assert.deepEqual(missed(served), [])
})

test('cuts a client that stays silent, with one line per missed answer and none after the end', async (context) => {
  const served = await loggedIn(context)
  const ends: unknown[] = []
  for (const ms of [2000, 1000]) {
    context.mock.timers.tick(ms)
    ends.push(served.wire.ended)
  }
  assert.deepEqual(ends, [undefined, { reason: 10, description: 'the client does not answer' }])
  // Not even while the last bytes are on their way.
  context.mock.timers.tick(10_000)
  served.wire.destroy()
  context.mock.timers.tick(10_000)
  await settle()
  assert.deepEqual(missed(served), [1, 2])
})

test('is silent after a normal end', async (context) => {
  const served = await loggedIn(context)
  context.mock.timers.tick(1000)
  served.wire.destroy()
  context.mock.timers.tick(10_000)
  await settle()
  assert.deepEqual(missed(served), [])
})

test('begins to count again when an answer comes late', async (context) => {
  const served = await loggedIn(context)
  context.mock.timers.tick(2000)
  served.client.send(answer)
  context.mock.timers.tick(3000)
  assert.deepEqual(missed(served), [1, 1, 2])
  assert.equal(served.wire.ended?.reason, 10)
})

test('goes on while the windows of the client are closed', async (context) => {
  const served = await loggedIn(context)
  await served.client.session(0)
  await served.client.exec()
  served.programs[0]?.out.write(Buffer.alloc(1000))
  context.mock.timers.tick(1000)
  assert.ok((await served.client.heard()).includes(request))
  context.mock.timers.tick(2000)
  assert.equal(served.wire.ended?.reason, 10)
})

const paused = async (context: TestContext) => {
  const served = await loggedIn(context, { limits: { requestsPerChannel: 1 } })
  await served.client.session()
  const [program] = served.programs
  const gate = Promise.withResolvers<Verdict>()
  if (program !== undefined) program.answer = () => gate.promise
  for (let i = 0; i < 3; i++) served.client.request({ kind: 'shell' })
  await settle()
  assert.equal(served.wire.paused, true)
  return { ...served, gate }
}

test('finds out that nobody is there also while we do not read', async (context) => {
  const served = await paused(context)
  context.mock.timers.tick(3000)
  // The first request goes out at the first tick: what came before that is no answer to it.
  context.mock.timers.tick(1000)
  assert.equal(served.wire.ended?.reason, 10)
  assert.equal(served.wire.peeks > 0, true)
})

test('looks for the answer while we do not read, and takes nothing else for one', async (context) => {
  const served = await paused(context)
  for (let i = 0; i < 5; i++) {
    context.mock.timers.tick(1000)
    assert.equal(served.wire.peeks, i + 1)
    served.client.send(answer)
  }
  assert.deepEqual([served.wire.ended, missed(served)], [undefined, []])
  for (let i = 0; i < 3; i++) {
    context.mock.timers.tick(1000)
    served.client.request({ kind: 'shell' })
  }
  assert.equal(served.wire.ended?.reason, 10)
})

test('is off when the interval is 0', async (context) => {
  const { client } = await loggedIn(context, { open: () => refusal('none'), ssh: { clientAliveInterval: 0 } })
  context.mock.timers.tick(1_000_000)
  assert.deepEqual(await client.heard(), [])
})

test('is on by default: 30 seconds, three times', async (context) => {
  const { wire } = await loggedIn(context, { ssh: {} })
  const ends: unknown[] = []
  for (const ms of [119_999, 1]) {
    context.mock.timers.tick(ms)
    ends.push(wire.ended?.reason)
  }
  assert.deepEqual(ends, [undefined, 10])
})
