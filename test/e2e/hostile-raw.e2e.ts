/** Floods against the real daemon with Docker: the worker's memory comes back to its level, others are served meanwhile. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { channelOpen, globalRequest } from '../../src/workers/ssh/messages.ts'
import { message } from '../../src/workers/ssh/numbers.ts'
import { until } from '../rigs/daemon.ts'
import { type Login, login } from '../rigs/login.ts'
import { RawClient } from '../rigs/raw/client.ts'
import { approach, exec, handshake, loginWithKey, makeRawKey, passwordAttempt, session } from '../rigs/raw/login.ts'
import { makeKey } from '../rigs/ssh.ts'

const key = makeRawKey()
const user = 'mallory'
const data = Buffer.alloc(0)
const foreign = channelOpen({ type: 'foreign', sender: 5, windowBytes: 1, maximumPacket: 1, data })
const question = globalRequest('who-goes-there@example.org', true)

describe('against a daemon with one worker, a client', () => {
  let host: Login
  const clients: RawClient[] = []
  before(async () => {
    const limits = { maxStartupsPerSource: 50, loginGrace: '5s', penalties: { enable: false } }
    const own = makeKey()
    const users = [
      { name: user, authorizedKeys: [key.line] },
      { name: 'alice', authorizedKeys: [own.line] },
    ]
    host = await login({
      user: 'alice',
      key: own,
      config: { workers: 1, log: { level: 'info' }, auth: { users } },
      ssh: limits,
    })
    for (let i = 0; i < 3; i++) assert.equal((await host.client.run(['true'])).code, 0)
  })
  after(async () => {
    for (const client of clients) client.socket.destroy()
    await host[Symbol.asyncDispose]()
  })
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.connect(host.daemon.port)
    clients.push(client)
    return client
  }
  const served = async (): Promise<void> => assert.equal((await host.client.run(['exit 21'])).code, 21)
  const worker = (): number => host.daemon.workers()[0] ?? 0
  /** Anonymous memory of the worker, in MiB. */
  const resident = (): number =>
    Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${worker()}/status`, 'utf8'))?.[1]) / 1024
  const costsLessThan = async (mib: number, attack: () => Promise<unknown>): Promise<void> => {
    const [pid, before] = [worker(), resident()]
    await attack()
    await served()
    assert.equal(worker(), pid, 'the same worker')
    assert.ok(resident() - before < mib, `${resident() - before} MiB`)
  }

  test('that opens 100,000 channels of a foreign kind is refused each of them, and costs no memory', async () => {
    const client = await loginWithKey(await connect(), user, key)
    await costsLessThan(96, async () => {
      let refused = 0
      for (let round = 0; round < 100; round++) {
        for (let i = 0; i < 1000; i++) client.send(foreign)
        for (let i = 0; i < 1000; i++) if ((await client.receive())[0] === message.channelOpenFailure) refused++
      }
      assert.ok(refused >= 99_990, `${refused}`)
    })
  })
  test('that asks 100,000 questions and reads no answer is not read from any more', async () => {
    const client = await loginWithKey(await connect(), user, key)
    client.socket.pause()
    await costsLessThan(96, async () => {
      for (let i = 0; i < 100_000; i++) {
        client.send(question)
        if (i % 1000 === 0) await new Promise(setImmediate)
      }
    })
    client.socket.destroy()
  })
  test('that sends names which steer terminals and end lines leaves valid lines only', async () => {
    const nasty = Buffer.from('\x1b[2J\nroot\r\n\0\u2028')
    const client = await approach(await connect())
    client.send(passwordAttempt(nasty, 'x'))
    await client.receive(message.userauthFailure)
    const other = await loginWithKey(await connect(), user, key)
    await session(other)
    other.send(exec(0, nasty.toString()))
    await other.receive(message.channelFailure)
    // The rig reads the log line by line as JSON, and keeps what is none among the errors.
    assert.doesNotMatch(host.daemon.stderr(), /not a log line/)
    await served()
  })
  test('that is one of 200 that connect in a second is admitted or told why not, and others are served', async () => {
    const crowd = await Promise.all(Array.from({ length: 200 }, () => connect()))
    // 50 may be inside at a time; the kernel tells the others' ends in its own time.
    const open = (): number => crowd.filter(({ socket }) => socket.readyState === 'open').length
    await until('all but 50 are refused', () => open() <= 50)
    await host.daemon.line('SSH_HANDSHAKE_LIMIT')
    for (const client of crowd) client.socket.destroy()
    await until('others are let in again', async () => (await host.client.run(['exit 21'])).code === 21)
  })
  test('that stops after its key exchange is ended by the login grace, with a line that says so', async () => {
    const client = await handshake(await connect())
    assert.deepEqual(await client.ended, { reason: 11, text: 'the login took too long' })
    await host.daemon.line('SSH_HANDSHAKE_FAILED', ({ details }) => details['reason'] === 'the login took too long')
  })
  test('that begins one key exchange after the other is disconnected', async () => {
    const client = await loginWithKey(await connect(), user, key)
    const storm = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) await client.exchange()
    }
    await storm().catch(() => undefined)
    assert.deepEqual(await client.ended, { reason: 2, text: 'too many key exchanges without need' })
    await served()
  })
  test('leaves no container behind', async () => {
    for (const client of clients) client.socket.destroy()
    await until('no container', async () => (await host.containers()).length === 0, 60_000)
  })
})
