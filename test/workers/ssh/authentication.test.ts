import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, test } from 'node:test'
import { fault } from '../../../src/shared/codes/fault.ts'
import type { Attempt, AuthVerdict } from '../../../src/workers/ports.ts'
import { sshString } from '../../../src/workers/ssh/blob.ts'
import { Writer } from '../../../src/workers/ssh/bytes.ts'
import { message } from '../../../src/workers/ssh/numbers.ts'
import { publicKeyBlob } from '../../../src/workers/ssh/public-key.ts'
import { letIn, serve, settle } from './double.ts'

const failure = (): AuthVerdict => ({ outcome: 'failure', fault: fault('AUTH_FAILED', { username: 'u' }) })
const methods = 'auth failure publickey,password'
const pair = generateKeyPairSync('ed25519')
const { blob } = publicKeyBlob(pair.publicKey)
const raw = (writer: Writer): Buffer => writer.finish().subarray(1)
const query = raw(new Writer(0).boolean(false).string('ssh-ed25519').string(blob))
const sessionId = Buffer.from('the session id')

/** A signed publickey attempt; `over` is what the client claims to sign. */
function signed(user: string, over = sessionId): Buffer {
  const request = new Writer(message.userauthRequest).string(user).string('ssh-connection').string('publickey')
  const unsigned = request.boolean(true).string('ssh-ed25519').string(blob).finish()
  const proof = sign(null, Buffer.concat([sshString(over), unsigned]), pair.privateKey)
  const signature = Buffer.concat([sshString('ssh-ed25519'), sshString(proof)])
  return Buffer.concat([unsigned, sshString(signature)])
}

describe('authentication', () => {
  test('the first none tells the methods, costs nothing and leaves no SSH_AUTH line', async () => {
    const { client, wire } = serve()
    client.attempt('alice', 'none')
    assert.deepEqual(await client.heard(), [methods])
    assert.deepEqual(client.codes, ['SSH_CONNECTED'])
    assert.equal(wire.mayRekey, false)
  })

  test('a password reaches the port byte for byte and lets the user in', async () => {
    const seen: Attempt[] = []
    const { client, told, records, wire } = serve({
      authenticate: (user, attempt) => {
        seen.push(attempt.method === 'password' ? { ...attempt, password: Buffer.from(attempt.password) } : attempt)
        return letIn(user)
      },
    })
    client.password('alice', Buffer.from([0xff, 0, 0xfe]))
    assert.deepEqual(await client.heard(), ['auth success'])
    assert.deepEqual(seen, [{ method: 'password', password: Buffer.from([0xff, 0, 0xfe]) }])
    assert.equal(wire.mayRekey, true)
    assert.deepEqual(told, ['authenticated 7'])
    const line = records.find((record) => record.code === 'SSH_AUTH_SUCCESSFUL')
    assert.equal(line?.level, 'info')
    assert.deepEqual(line?.labels['username'], 'alice')
    assert.deepEqual(line?.labels['method'], 'password')
  })

  test('the sixth failure is answered with DISCONNECT, and the lines tell each one', async () => {
    const { client, wire } = serve({ authenticate: failure })
    client.attempt('alice', 'none')
    for (let i = 0; i < 6; i++) client.password('alice', `${i}`)
    assert.deepEqual(
      await client.heard(),
      Array.from({ length: 6 }, () => methods),
    )
    assert.deepEqual(wire.ended, { reason: 2, description: 'Too many authentication failures' })
    assert.equal(client.codes.filter((code) => code === 'SSH_AUTH_FAILED').length, 6)
  })

  test('a second none counts as a failure', async () => {
    const { client, wire } = serve({ authenticate: failure, ssh: { maxAuthTries: 2 } })
    for (let i = 0; i < 3; i++) client.attempt('alice', 'none')
    await client.heard()
    assert.equal(wire.ended?.description, 'Too many authentication failures')
  })

  test('SSH_HANDSHAKE_FAILED is short: why, how many attempts failed, and the last of them', async () => {
    const { client, wire, records } = serve({ authenticate: failure, ssh: { maxAuthTries: 2 } })
    client.attempt('alice', 'none')
    client.password('alice', 'a')
    client.attempt('alice', 'hostbased')
    await settle()
    wire.destroy()
    await settle()
    const line = records.find((record) => record.code === 'SSH_HANDSHAKE_FAILED')
    assert.equal(line?.level, 'info')
    assert.equal(line?.labels['reason'], 'Too many authentication failures')
    assert.equal(line?.message, 'SSH handshake failed: Too many authentication failures.')
    assert.equal(line?.labels['failures'], 3)
    assert.match(String(line?.labels['lastFailure']), /^hostbased: /)
    assert.deepEqual(client.codes.slice(-2), ['SSH_HANDSHAKE_FAILED', 'SSH_DISCONNECTED'])
  })

  test('pipelined attempts are decided one after the other, in their order, also with other user names', async () => {
    const seen: string[] = []
    let atWork = 0
    const { client, wire } = serve({
      authenticate: async (user) => {
        assert.equal(++atWork, 1)
        seen.push(user)
        await settle()
        atWork--
        return user === 'carol' ? letIn(user) : failure()
      },
    })
    for (const user of ['alice', 'bob', 'carol', 'mallory', 'mallory']) client.password(user, 'x')
    assert.equal(wire.paused, true)
    await settle()
    await settle()
    await settle()
    assert.deepEqual(await client.heard(), [methods, methods, 'auth success'])
    assert.deepEqual(seen, ['alice', 'bob', 'carol'])
    assert.equal(wire.paused, false)
  })

  test('a message for after the login ends the connection before it, and is served when it waited for the success', async () => {
    const early = serve()
    early.client.openSession()
    await settle()
    assert.equal(early.wire.ended?.reason, 2)
    const pipelined = serve()
    pipelined.client.password('alice', 'x')
    pipelined.client.openSession()
    assert.deepEqual(await pipelined.client.heard(), ['auth success', 'opened 0 as 0 window 65536 packet 32768'])
  })

  test('requests after the success are ignored', async () => {
    const { client, wire } = serve()
    await client.login()
    client.password('bob', 'x')
    assert.deepEqual(await client.heard(), [])
    assert.equal(wire.ended, undefined)
  })

  test('the banner goes out unchanged, once, at the first request', async () => {
    const { client } = serve({ ssh: { banner: 'Hello\nworld' } })
    assert.deepEqual(await client.heard(), [])
    client.attempt('alice', 'none')
    client.attempt('alice', 'none')
    assert.deepEqual(await client.heard(), ['banner Hello\nworld', methods, methods])
  })

  test('a method nobody knows, a password change and a malformed request are failures, not the end', async () => {
    const { client, wire } = serve()
    client.attempt('alice', 'hostbased', Buffer.from('whatever'))
    client.attempt('alice', 'password', raw(new Writer(0).boolean(true).string('old').string('new')))
    client.attempt('alice', 'password', Buffer.from([0, 0, 0, 0, 9]))
    client.attempt('alice', 'none', Buffer.from('trailing'))
    assert.deepEqual(await client.heard(), [methods, methods, methods, methods])
    assert.equal(wire.ended, undefined)
    assert.ok(client.codes.includes('AUTH_NOT_SUPPORTED'))
    assert.ok(client.codes.includes('SSH_AUTH_UNAVAILABLE'))
  })

  test('a user name that is not UTF-8 is refused without asking anybody', async () => {
    const seen: string[] = []
    const { client } = serve({
      authenticate: (user) => {
        seen.push(user)
        return letIn(user)
      },
    })
    client.password(Buffer.from([0x61, 0xff]), 'x')
    assert.deepEqual(await client.heard(), [methods])
    assert.deepEqual(seen, [])
  })

  test('names of absurd length are refused: they would fill the log', async () => {
    const { client, wire, records } = serve()
    client.password('a'.repeat(256), 'x')
    assert.deepEqual(await client.heard(), [methods])
    assert.ok(records.every((record) => record.message.length < 300))
    client.attempt('alice', 'm'.repeat(256))
    await settle()
    assert.equal(wire.ended?.reason, 2)
  })

  test('accepted key queries are not failures, but they have an end', async () => {
    const { client, wire } = serve()
    for (let i = 0; i < 101 && wire.ended === undefined; i++) {
      client.attempt('alice', 'publickey', query)
      await settle()
    }
    assert.equal((await client.heard()).length, 100)
    assert.equal(wire.ended?.description, 'Too many authentication requests')
  })

  test('another service than ssh-connection ends the connection', async () => {
    const { client, wire } = serve()
    client.attempt('alice', 'none', Buffer.alloc(0), 'ssh-shell')
    await settle()
    assert.equal(wire.ended?.reason, 7)
  })

  test('a port that throws is an unavailable method, and the reason is in the log', async () => {
    const { client, records } = serve({ authenticate: () => Promise.reject(new Error('the floor is lava')) })
    client.password('alice', 'x')
    assert.deepEqual(await client.heard(), [methods])
    const line = records.find((record) => record.code === 'SSH_AUTH_UNAVAILABLE')
    assert.match(line?.message ?? '', /the floor is lava/)
  })

  test('the grace time stays in force while a decision is pending, and gives it up', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    let given: AbortSignal | undefined
    const { client, wire, records } = serve({
      ssh: { loginGrace: 5000 },
      authenticate: (_user, _attempt, signal) => {
        given = signal
        return Promise.withResolvers<AuthVerdict>().promise
      },
    })
    client.password('alice', 'x')
    await settle()
    context.mock.timers.tick(5000)
    assert.deepEqual(wire.ended, { reason: 11, description: 'the login took too long' })
    wire.destroy()
    await settle()
    assert.equal(given?.aborted, true)
    const line = records.find((record) => record.code === 'SSH_HANDSHAKE_FAILED')
    assert.equal(line?.labels['reason'], 'the login took too long')
  })

  test('queries of keys that would not do are failures, those of keys that would do are not', async () => {
    const { client, wire } = serve({
      ssh: { maxAuthTries: 2 },
      authenticate: (user, attempt) => (attempt.method === 'publickey' && user === 'alice' ? letIn(user) : failure()),
    })
    client.attempt('alice', 'none')
    for (const user of ['alice', 'alice', 'alice', 'bob', 'alice', 'bob']) {
      assert.equal(wire.ended, undefined)
      client.attempt(user, 'publickey', query)
      await settle()
    }
    assert.equal(wire.ended?.description, 'Too many authentication failures')
  })

  test('the end of key queries is an option', async () => {
    const { client, wire } = serve({ ssh: { maxAuthRequests: 7 } })
    for (let i = 0; i < 8; i++) {
      client.attempt('alice', 'publickey', query)
      await settle()
    }
    assert.equal((await client.heard()).length, 7)
    assert.equal(wire.ended?.description, 'Too many authentication requests')
  })

  test('the login must be done within the grace time', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const { wire } = serve({ ssh: { loginGrace: 5000 } })
    context.mock.timers.tick(4999)
    assert.equal(wire.ended?.reason, undefined)
    context.mock.timers.tick(1)
    assert.equal(wire.ended?.description, 'the login took too long')
  })
})

describe('public keys', () => {
  test('a query is answered with PK_OK only when the port accepts it, and lets nobody in', async () => {
    const attempts: Attempt[] = []
    const { client } = serve({
      authenticate: (user, attempt) => {
        attempts.push(attempt)
        return letIn(user)
      },
    })
    client.attempt('alice', 'publickey', query)
    assert.deepEqual(await client.heard(), [`key ok ssh-ed25519 ${blob.toString('latin1')}`])
    assert.equal(attempts[0]?.method === 'publickey' && attempts[0].signed, false)
    assert.ok(!client.codes.includes('SSH_AUTH_SUCCESSFUL'))
    const stranger = serve({ authenticate: failure })
    stranger.client.attempt('alice', 'publickey', query)
    assert.deepEqual(await stranger.client.heard(), [methods])
  })

  test('a signature over this session lets the user in', async () => {
    const { client, records } = serve({
      authenticate: (user, attempt) =>
        attempt.method === 'publickey' && attempt.signed && Buffer.compare(attempt.blob, blob) === 0
          ? letIn(user)
          : failure(),
    })
    client.send(signed('alice'))
    assert.deepEqual(await client.heard(), ['auth success'])
    assert.equal(records.find((r) => r.code === 'SSH_AUTH_SUCCESSFUL')?.labels['method'], 'public key')
  })

  test('a signature over another session, another user or damaged bytes is refused before the port sees it', async () => {
    const seen: Attempt[] = []
    const { client } = serve({
      authenticate: (user, attempt) => {
        seen.push(attempt)
        return letIn(user)
      },
    })
    client.send(signed('alice', Buffer.from('another session')))
    const other = signed('alice')
    other.write('malic', 5)
    client.send(other)
    const damaged = signed('alice')
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1
    client.send(damaged)
    assert.deepEqual(await client.heard(), [methods, methods, methods])
    assert.deepEqual(seen, [])
  })

  test('SHA-1 signatures are refused at the query already', async () => {
    const { client } = serve()
    client.attempt('alice', 'publickey', raw(new Writer(0).boolean(false).string('ssh-rsa').string(blob)))
    assert.deepEqual(await client.heard(), [methods])
  })
})
