import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Config } from '../../../src/shared/config/index.ts'
import type { SessionLimits } from '../../../src/workers/ports.ts'
import { type Script, serve, settle } from './double.ts'

const size = { columns: 80, rows: 24, widthPixels: 0, heightPixels: 0 }
const pty = { kind: 'pty-req', pty: { term: 'xterm', size, modes: Buffer.alloc(0) } } as const
const idle = { idleTimeout: 60_000, warningBefore: 20_000, grace: 5000 }

async function loggedIn(context: TestContext, limits: Partial<Config['limits']>, script: Script = {}) {
  context.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] })
  const served = serve({ ssh: { clientAliveInterval: 0 }, limits, ...script })
  await served.client.login()
  return served
}
/** A terminal on channel 0 and a program without one on channel 1. */
async function working(context: TestContext, limits: Partial<Config['limits']>, script?: Script) {
  const served = await loggedIn(context, limits, script)
  const { client } = served
  await client.session()
  client.request(pty, false)
  client.request({ kind: 'shell' }, false)
  await client.session(undefined, undefined, 1)
  client.request({ kind: 'subsystem', name: 'sftp' }, false, 1)
  await client.heard()
  // The clock has ticks of 2 seconds, and the next one sees the new channels.
  context.mock.timers.tick(2000)
  return served
}
const said = (text: string) => `err 0 \r\n${text}\r\n`
const warning = said('Your session ends in 20 seconds: it has been idle for 40 seconds.')
const signals = ({ programs }: ReturnType<typeof serve>): unknown[] =>
  programs.map((program) => program.requests.flatMap((one) => (one.kind === 'signal' ? [one.name] : [])))

test('an idle session is warned at its terminal only, then gets the signal, then is cut with the reason', async (context) => {
  const served = await working(context, idle)
  const { client, wire } = served
  context.mock.timers.tick(38_000)
  assert.deepEqual(await client.heard(), [])
  context.mock.timers.tick(2000)
  assert.deepEqual(await client.heard(), [warning])
  context.mock.timers.tick(18_000)
  assert.deepEqual(signals(served), [[], []])
  context.mock.timers.tick(2000)
  assert.deepEqual(await client.heard(), [])
  assert.deepEqual(signals(served), [['HUP'], ['HUP']])
  const line = served.records.find((record) => record.code === 'SSH_IDLE_TIMEOUT')
  assert.deepEqual([line?.level, line?.labels['limitMs'], line?.labels['username']], ['info', 60_000, 'alice'])
  client.openSession(1, 1, 2)
  assert.deepEqual(await client.heard(), ['open failure 2 4 the session was idle for 1 minute'])
  context.mock.timers.tick(4999)
  assert.equal(wire.ended, undefined)
  context.mock.timers.tick(1)
  assert.deepEqual(wire.ended, { reason: 11, description: 'the session was idle for 1 minute' })
})

test('data from the client after the warning takes it back, and says so', async (context) => {
  const served = await working(context, idle)
  const { client } = served
  context.mock.timers.tick(40_000)
  assert.deepEqual(await client.heard(), [warning])
  client.data('x')
  context.mock.timers.tick(2000)
  assert.deepEqual(await client.heard(), [said('You are back: your session goes on.')])
  context.mock.timers.tick(38_000)
  assert.deepEqual(await client.heard(), [])
  context.mock.timers.tick(22_000)
  assert.deepEqual(await client.heard(), [warning])
  assert.deepEqual(signals(served), [['HUP'], ['HUP']])
})

test('output of a program, and a new channel, are life; keepalives, window adjusts and our own words are not', async (context) => {
  const served = await working(context, idle)
  const { client, programs } = served
  const lives = [
    () => programs[1]?.out.write(Buffer.from('x')),
    () => programs[1]?.err.write(Buffer.from('x')),
    () => client.openSession(1, 1, 2),
    () => client.data(''),
  ]
  for (const live of lives) {
    context.mock.timers.tick(38_000)
    live()
    await client.heard()
  }
  context.mock.timers.tick(2000)
  for (const none of [() => client.adjust(1000), () => client.global('keepalive@openssh.com')]) {
    context.mock.timers.tick(19_000)
    none()
    await settle()
  }
  context.mock.timers.tick(2000)
  assert.ok((await client.heard()).includes(warning))
  context.mock.timers.tick(20_000)
  assert.deepEqual(signals(served), [['HUP'], ['HUP'], []])
})

test('output that the client makes room for at last is life', async (context) => {
  const served = await loggedIn(context, idle)
  const { client, programs } = served
  await client.session(10)
  await client.exec()
  programs[0]?.out.write(Buffer.alloc(1000))
  for (let i = 0; i < 5; i++) {
    context.mock.timers.tick(50_000)
    client.adjust(10)
  }
  await client.heard()
  assert.deepEqual(signals(served), [[]])
  context.mock.timers.tick(62_000)
  await settle()
  assert.deepEqual(signals(served), [['HUP']])
})

test('when the programs obey, the end does not wait for the time of grace', async (context) => {
  const served = await working(context, { ...idle, signal: 'TERM' })
  context.mock.timers.tick(60_000)
  await settle()
  assert.deepEqual(signals(served), [['TERM'], ['TERM']])
  for (const [channel, program] of served.programs.entries()) {
    program.end()
    await settle()
    served.client.close(channel)
  }
  await settle()
  assert.deepEqual(served.wire.ended, { reason: 11, description: 'the session was idle for 1 minute' })
})

test('a connection without any program ends at once', async (context) => {
  const { wire } = await loggedIn(context, idle)
  context.mock.timers.tick(60_000)
  assert.deepEqual(wire.ended, { reason: 11, description: 'the session was idle for 1 minute' })
})

test('the session time-out comes whatever the user does, with a warning before', async (context) => {
  const served = await working(context, { sessionTimeout: 600_000, warningText: '{reason} ({time})\n-- the crew' })
  const { client, wire } = served
  for (let i = 0; i < 40; i++) {
    client.data('x')
    context.mock.timers.tick(15_000)
    await settle()
  }
  assert.deepEqual(await client.heard(), [said('sessions last 10 minutes at most (1 minute)\r\n-- the crew')])
  assert.deepEqual(signals(served), [['HUP'], ['HUP']])
  const line = served.records.find((record) => record.code === 'SSH_SESSION_TIMEOUT')
  assert.deepEqual([line?.level, line?.labels['limitMs']], ['info', 600_000])
  context.mock.timers.tick(10_000)
  assert.deepEqual(wire.ended, { reason: 11, description: 'sessions last 10 minutes at most' })
})

test('a time-out shorter than the warning warns at its half', async (context) => {
  const { client } = await working(context, { idleTimeout: 10_000 })
  context.mock.timers.tick(3000)
  assert.deepEqual(await client.heard(), [])
  context.mock.timers.tick(1000)
  assert.deepEqual(await client.heard(), [said('Your session ends in 5 seconds: it has been idle for 5 seconds.')])
})

for (const [what, quiet] of [
  ['an empty text', { warningText: '' }],
  ['no time before', { warningBefore: 0 }],
] as const) {
  test(`${what} is no warning`, async (context) => {
    const served = await working(context, { ...idle, ...quiet })
    context.mock.timers.tick(60_000)
    assert.deepEqual(await served.client.heard(), [])
    assert.deepEqual(signals(served), [['HUP'], ['HUP']])
  })
}

const withLimits = (limits: SessionLimits): Script => {
  const { session } = serve()
  return { enter: () => ({ accepted: true, value: { ...session, limits } }) }
}

test("a session's own limits go before those of the configuration", async (context) => {
  const own = await loggedIn(context, idle, withLimits({ idleTimeout: 90_000 }))
  context.mock.timers.tick(87_000)
  const ends = [own.wire.ended]
  context.mock.timers.tick(3000)
  ends.push(own.wire.ended)
  assert.deepEqual(ends, [undefined, { reason: 11, description: 'the session was idle for 90 seconds' }])
})

test('a session whose own limit is 0 has none', async (context) => {
  const own = await loggedIn(context, idle, withLimits({ idleTimeout: 0 }))
  context.mock.timers.tick(1_000_000)
  assert.equal(own.wire.ended, undefined)
})

test('without limits nobody looks at the clock', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] })
  const intervals = context.mock.method(globalThis, 'setInterval')
  const served = serve({ ssh: { clientAliveInterval: 0 } })
  await served.client.login()
  assert.equal(intervals.mock.callCount(), 0)
})

test('a window that is too small for the warning gets its beginning, a closed one nothing', async (context) => {
  const served = await loggedIn(context, idle)
  const { client, wire } = served
  await client.session(6)
  client.request(pty, false)
  client.request({ kind: 'shell' }, false)
  await client.heard()
  context.mock.timers.tick(42_000)
  assert.deepEqual(await client.heard(), ['err 0 \r\nYour'])
  context.mock.timers.tick(20_000)
  assert.equal(wire.ended, undefined)
  assert.deepEqual(signals(served), [['HUP']])
})

test('a server that stops tells terminals how long they have', async (context) => {
  const served = await working(context, {})
  void served.intake.drain(new AbortController().signal, 20_000)
  assert.deepEqual(await served.client.heard(), [
    said('The server is shutting down: this connection ends within 20 seconds.'),
  ])
  assert.deepEqual(signals(served), [['TERM'], ['TERM']])
})
