/** Doors of a session and of its channels: who may have them, and when they close. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fault } from '../../../src/shared/codes/fault.ts'
import { formatLine } from '../../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../../src/shared/log.ts'
import { createSession } from '../../../src/workers/backends/session.ts'
import type {
  Arrive,
  Backend,
  Channel,
  ChannelId,
  ChannelRequest,
  ConnectionId,
  Door,
  Listening,
  Sandbox,
  Session,
  Stdio,
} from '../../../src/workers/ports.ts'
import { record as keepForCodes } from '../../rigs/daemon.ts'
import { member } from '../ssh/double.ts'
import { farEnd } from '../ssh/stream-double.ts'

const never = new AbortController().signal
const from = { address: '', port: 0 }
const door: Door = { kind: 'tcp', host: '', port: 8080 }
const stdio: Stdio = {
  stdin: { into: () => undefined },
  stdout: { write: () => true, onDrain: () => undefined, end: () => undefined },
  stderr: { write: () => true, onDrain: () => undefined, end: () => undefined },
}
const x11 = (single = false): ChannelRequest => ({
  kind: 'x11-req',
  x11: { single, protocol: 'MIT-MAGIC-COOKIE-1', cookie: '00', screen: 0 },
})

/** A session of a room that has done everything it was asked for when `hold` is over. */
function enter(hold: Promise<void> = Promise.resolve()) {
  const records: LogRecord[] = []
  const write = (record: LogRecord): void => {
    records.push(record)
    keepForCodes(formatLine(record, 'ljson').trimEnd())
  }
  const open: Door[] = []
  const tell: Arrive[] = []
  let disposals = 0
  const listen = async (wanted: Door, arrive: Arrive): Promise<Listening> => {
    await hold
    open.push(wanted)
    tell.push(arrive)
    return {
      port: 0,
      env: new Map([['DOOR', wanted.kind]]),
      async [Symbol.asyncDispose]() {
        disposals++
        open.splice(open.indexOf(wanted), 1)
      },
    }
  }
  const programs: ReadonlyMap<string, string>[] = []
  const sandbox: Sandbox = {
    async run({ env }) {
      programs.push(env)
      return {
        exit: new Promise(() => undefined),
        resize: async () => undefined,
        signal: async () => undefined,
        [Symbol.asyncDispose]: async () => undefined,
      }
    },
    dial: () => Promise.reject(fault('SSH_NOT_IMPLEMENTED', { what: 'dialling' }, { level: 'error' })),
    listen,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const refuse = (what: string) => fault('SSH_NOT_IMPLEMENTED', { what })
  const backend: Backend = {
    name: 'double',
    faults: { alreadyRunning: refuse, notRunning: refuse, notSupported: refuse },
    open: async () => sandbox,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const peer = {
    connectionId: '0'.repeat(32) as ConnectionId,
    remoteAddress: '192.0.2.1',
    remotePort: 1,
    country: 'XX',
    clientVersion: '',
    log: createLog({ level: 'debug', write }),
  }
  const session = createSession(backend, { peer, member: member('alice') }, sandbox)
  return { session, open, tell, programs, records, disposals: () => disposals }
}
async function channelOf(session: Session, arrive: Arrive): Promise<Channel> {
  const verdict = await session.open(1 as ChannelId, arrive)
  if (!verdict.accepted) throw verdict.fault
  return verdict.value
}
const nowhere: Arrive = (_door, stream) => void stream.destroy()

test('what the room cannot do is told aloud, and in a whisper when the client has left meanwhile', async () => {
  const { session, records } = enter()
  const target = { kind: 'tcp', host: 'x', port: 1 } as const
  for (const signal of [never, AbortSignal.abort()]) assert.ok(!(await session.dial(target, from, signal)).accepted)
  assert.deepEqual(
    records.map(({ level }) => level),
    ['error', 'debug'],
  )
})

describe('a door of the session', () => {
  test('closes when it is disposed, once, and not again with the session', async () => {
    const { session, open, disposals } = enter()
    const verdict = await session.listen(door, nowhere, never)
    assert.ok(verdict.accepted)
    await verdict.value[Symbol.asyncDispose]()
    await verdict.value[Symbol.asyncDispose]()
    assert.deepEqual(open, [])
    await session[Symbol.asyncDispose]()
    assert.equal(disposals(), 1)
  })

  test('closes with the session', async () => {
    const { session, open } = enter()
    await session.listen(door, nowhere, never)
    await session.listen({ kind: 'unix', path: '/x' }, nowhere, never)
    assert.equal(open.length, 2)
    await session[Symbol.asyncDispose]()
    assert.deepEqual(open, [])
  })

  test('that is ready after the session has ended, or after nobody waits for it, closes at once', async () => {
    const gate = Promise.withResolvers<void>()
    const { session, open, disposals } = enter(gate.promise)
    const waiting = new AbortController()
    const late = [session.listen(door, nowhere, waiting.signal), session.listen(door, nowhere, never)]
    waiting.abort()
    const ended = session[Symbol.asyncDispose]()
    gate.resolve()
    const results = await Promise.allSettled(late)
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    await ended
    assert.deepEqual(open, [])
    assert.equal(disposals(), 2)
  })
})

describe('the X11 display and the agent of a channel', () => {
  test('are told to its program, and close with the channel', async () => {
    const { session, open, programs } = enter()
    const channel = await channelOf(session, nowhere)
    assert.ok((await channel.request(x11(), stdio)).accepted)
    assert.ok((await channel.request({ kind: 'auth-agent-req@openssh.com' }, stdio)).accepted)
    assert.ok((await channel.request({ kind: 'shell' }, stdio)).accepted)
    assert.equal(programs[0]?.get('DOOR'), 'agent')
    assert.equal(open.length, 2)
    await channel[Symbol.asyncDispose]()
    assert.deepEqual(open, [])
  })

  test('can be had once per channel, and only before its program runs', async () => {
    const { session, open, records } = enter()
    const channel = await channelOf(session, nowhere)
    const [first, second] = await Promise.all([channel.request(x11(), stdio), channel.request(x11(), stdio)])
    assert.ok(first?.accepted)
    assert.equal(second?.accepted, false)
    assert.equal(records[0]?.message, 'Cannot listen at x11: the channel has one already.')
    const other = await channelOf(session, nowhere)
    assert.ok((await other.request(x11(), stdio)).accepted)
    await channel.request({ kind: 'shell' }, stdio)
    assert.equal((await channel.request({ kind: 'auth-agent-req@openssh.com' }, stdio)).accepted, false)
    assert.equal(open.length, 2)
  })

  test('that are ready after the channel has closed close at once', async () => {
    const gate = Promise.withResolvers<void>()
    const { session, open, disposals } = enter(gate.promise)
    const channel = await channelOf(session, nowhere)
    const late = channel.request(x11(), stdio)
    await channel[Symbol.asyncDispose]()
    gate.resolve()
    await assert.rejects(late)
    assert.deepEqual(open, [])
    assert.equal(disposals(), 1)
  })

  test('lend a display for a single connection to the first one only', async () => {
    const { session, tell } = enter()
    let arrived = 0
    const channel = await channelOf(session, () => arrived++)
    await channel.request(x11(true), stdio)
    const [one, two] = [farEnd(), farEnd()]
    for (const { stream } of [one, two]) tell[0]?.({ kind: 'agent' }, stream, from)
    assert.equal(arrived, 1)
    assert.equal(one.stream.destroyed, false)
    assert.equal(two.stream.destroyed, true)
  })
})
