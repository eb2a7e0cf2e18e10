/** Before the login (RFC 4252): messages that only a server sends, messages of later phases, and attempts without end. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Writer } from '../../src/workers/ssh/bytes.ts'
import { globalRequest } from '../../src/workers/ssh/messages.ts'
import { until } from '../rigs/daemon.ts'
import { RawClient } from '../rigs/raw/client.ts'
import {
  approach,
  attempt,
  exec,
  keyProof,
  keyQuery,
  makeRawKey,
  openSession,
  passwordAttempt,
  serviceRequest,
} from '../rigs/raw/login.ts'
import { type Attacker, endsWith, target } from './target.ts'

const early: readonly (readonly [name: string, payload: Buffer])[] = [
  ['a global request', globalRequest('keepalive@openssh.com', true)],
  ['REQUEST_SUCCESS', Buffer.of(81)],
  ['a channel open', openSession()],
  ['OPEN_CONFIRMATION', Buffer.of(91, ...Buffer.alloc(16))],
  ['WINDOW_ADJUST', Buffer.of(93, ...Buffer.alloc(8))],
  ['channel data', Buffer.of(94, ...Buffer.alloc(8))],
  ['a channel request', exec(0, 'id')],
  ['CHANNEL_CLOSE', Buffer.of(97, 0, 0, 0, 0)],
]
const serverOnly = [51, 52, 53, 60, 63, 66, 79]

describe('before the login', () => {
  const attack = target()
  const rekeyed = async (): Promise<Attacker> => {
    const attacker = await attack.approach()
    await attacker.client.exchange()
    return attacker
  }
  const neverLetIn = (attacker: Attacker): void => {
    const codes = attacker.codes()
    for (const code of ['SSH_AUTH_SUCCESSFUL', 'SSH_HANDSHAKE_SUCCESSFUL', 'SSH_NEW_CHANNEL']) {
      assert.ok(!codes.includes(code), code)
    }
  }
  for (const [name, payload] of early) {
    test(`${name} ends the connection`, async () => {
      const attacker = await attack.approach()
      attacker.client.send(payload)
      await endsWith(attacker, 2, new RegExp(`^message ${payload[0]} before authentication$`))
      await attacker.record('SSH_PROTOCOL_ERROR')
      neverLetIn(attacker)
    })
    test(`${name} after another key exchange ends the connection`, async () => {
      const attacker = await rekeyed()
      attacker.client.send(payload)
      await endsWith(attacker, 2, new RegExp(`^message ${payload[0]} before authentication$`))
      neverLetIn(attacker)
    })
    test(`${name} before the service is accepted ends the connection`, async () => {
      const attacker = await attack.handshake()
      attacker.client.send(payload)
      await endsWith(attacker, 2, /before a service was requested$/)
      neverLetIn(attacker)
    })
    test(`${name} while a password is being checked ends the connection or comes after it`, async () => {
      const attacker = await attack.approach()
      attacker.client.send(passwordAttempt('mallory', 'wrong'))
      attacker.client.send(payload)
      await endsWith(attacker, 2, new RegExp(`^message ${payload[0]} before authentication$`))
      neverLetIn(attacker)
    })
  }
  for (const number of serverOnly) {
    test(`message ${number}, which only a server sends, ends the connection and lets nobody in`, async () => {
      for (const attacker of [await attack.approach(), await rekeyed()]) {
        attacker.client.send(Buffer.of(number, 0, 0, 0, 0, 0, 0, 0, 0))
        attacker.client.send(openSession())
        await endsWith(attacker, 2, new RegExp(`^message ${number} before authentication$`))
        await attacker.record('SSH_PROTOCOL_ERROR')
        neverLetIn(attacker)
      }
    })
  }
  test('an answer to a question that was not asked is ignored', async () => {
    const { client } = await attack.approach()
    client.send(Buffer.of(61, 0, 0, 0, 0))
    client.send(passwordAttempt('mallory', 'wrong'))
    await client.receive(51)
  })

  const services: readonly (readonly [name: string, go: (client: RawClient) => void, text: RegExp])[] = [
    [
      'an unknown service',
      (client) => client.send(serviceRequest('ssh-agent')),
      /^service "ssh-agent" is not available/,
    ],
    ['the service of later', (client) => client.send(serviceRequest('ssh-connection')), /"ssh-connection"/],
    ['a service without a name', (client) => client.send(serviceRequest('')), /^service "" is not available/],
    ['a service twice', (client) => [1, 2].map(() => client.send(serviceRequest())), /not available/],
  ]
  for (const [name, go, text] of services) {
    test(`${name} ends the connection with reason 7`, async () => {
      const attacker = await attack.handshake()
      go(attacker.client)
      await endsWith(attacker, 7, text)
    })
  }
  test('a service name of 200 KB ends the connection, and neither the answer nor the log repeats it', async () => {
    const attacker = await attack.handshake()
    attacker.client.send(serviceRequest('x'.repeat(200_000)))
    await endsWith(attacker, 2, /^malformed SERVICE_REQUEST$/)
  })
  test('an attempt for another service ends the connection with reason 7', async () => {
    const attacker = await attack.approach()
    attacker.client.send(attempt('mallory', 'none', Buffer.alloc(0), 'ssh-userauth'))
    await endsWith(attacker, 7, /unknown service/)
  })
  const malformed: readonly (readonly [name: string, payload: Buffer])[] = [
    ['without a user', Buffer.of(50)],
    ['whose user has 4 GiB', Buffer.of(50, 255, 255, 255, 255)],
    ['without a method', new Writer(50).string('mallory').string('ssh-connection').finish()],
    ['whose service has 300 characters', attempt('mallory', 'none', Buffer.alloc(0), 'x'.repeat(300))],
  ]
  for (const [name, payload] of malformed) {
    test(`an attempt ${name} ends the connection`, async () => {
      const attacker = await attack.approach()
      attacker.client.send(payload)
      await endsWith(attacker, 2, /^malformed authentication request$/)
    })
  }
  test('nothing of all that disturbs others', async () => {
    await attack.serves()
    await attack.forgets()
  })
})

describe('attempts without end', () => {
  const attack = target()

  test('with keys that would not do are over after six', async () => {
    const attacker = await attack.approach()
    for (let i = 0; i < 10; i++) attacker.client.send(keyQuery('mallory', 'ssh-ed25519', makeRawKey().blob))
    await endsWith(attacker, 2, /^Too many authentication failures$/)
    assert.equal(attacker.codes().filter((code) => code === 'SSH_AUTH_FAILED').length, 6)
  })
  test('with a key that would do are over after a hundred', async () => {
    const attacker = await attack.approach()
    for (let i = 0; i < 200; i++) attacker.client.send(keyQuery('mallory', attack.key.algorithm, attack.key.blob))
    await endsWith(attacker, 2, /^Too many authentication requests$/)
  })
  test('for a new user each time count all the same', async () => {
    const attacker = await attack.approach()
    for (let i = 0; i < 10; i++) attacker.client.send(passwordAttempt(`user${i}`, 'x'))
    await endsWith(attacker, 2, /^Too many authentication failures$/)
  })
  test('with methods that nobody knows are over after six', async () => {
    const attacker = await attack.approach()
    for (let i = 0; i < 10; i++) attacker.client.send(attempt('mallory', `method${i}`, Buffer.alloc(0)))
    await endsWith(attacker, 2, /^Too many authentication failures$/)
  })
  test('with none are over soon, too', async () => {
    const attacker = await attack.approach()
    for (let i = 0; i < 10; i++) attacker.client.send(attempt('mallory', 'none', Buffer.alloc(0)))
    await endsWith(attacker, 2, /^Too many authentication failures$/)
  })
  test('sent all at once are decided one after the other, and what follows the login is for the session', async () => {
    const { client, codes } = await attack.approach()
    client.send(passwordAttempt('mallory', 'wrong'))
    client.send(passwordAttempt('bob', 'wrong'))
    client.send(keyProof(client, 'mallory', attack.key))
    client.send(openSession())
    await client.receive(52)
    await client.receive(91)
    assert.equal(codes().filter((code) => code === 'SSH_AUTH_FAILED').length, 2)
  })
  test('end with who logged in, not with who tried before', async () => {
    const attacker = await attack.approach()
    attacker.client.send(passwordAttempt('bob', 'wrong'))
    await attacker.client.receive(51)
    attacker.client.send(keyProof(attacker.client, 'mallory', attack.key))
    await attacker.client.receive(52)
    assert.equal((await attacker.record('SSH_HANDSHAKE_SUCCESSFUL')).labels['username'], 'mallory')
    assert.equal(attack.server.room.occupants.at(-1)?.member.username, 'mallory')
  })
  test('a proof for another session, or for another user, is no proof', async () => {
    const other = await attack.approach()
    const attacker = await attack.approach()
    attacker.client.send(keyProof(other.client, 'mallory', attack.key))
    await attacker.client.receive(51)
    const forBob = keyProof(attacker.client, 'bob', attack.key)
    const forged = Buffer.concat([
      new Writer(50).string('mallory').finish(),
      // Behind number and name.
      forBob.subarray(1 + 4 + 3),
    ])
    attacker.client.send(forged)
    await attacker.client.receive(51)
    assert.equal(attacker.codes().filter((code) => code === 'SSH_AUTH_FAILED').length, 2)
  })
  test('a new attempt after the login is ignored, as RFC 4252 wants it', async () => {
    const { client } = await attack.login()
    for (let i = 0; i < 1000; i++) client.send(passwordAttempt('root', 'x'))
    for (const number of [51, 52, 53, 60]) client.send(Buffer.of(number))
    client.send(openSession())
    await client.receive(91)
    await attack.serves()
  })
  test('from a hundred clients at once leave room for those who know the password', async () => {
    const crowd = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const client = await approach(await RawClient.connect(attack.server.port))
        for (let i = 0; i < 3; i++) client.send(passwordAttempt('mallory', `wrong${i}`))
        return client
      }),
    )
    await attack.serves()
    for (const client of crowd) client.socket.destroy()
    await until('the crowd has gone', () => attack.server.intake.size < 20)
    await attack.forgets()
  })
})
