/** Clients that stop half-way: the login grace ends them at every stage, and the log has a line about each. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RawClient } from '../rigs/raw/client.ts'
import { kexInit } from '../rigs/raw/kexinit.ts'
import { approach, attempt, handshake, keyQuery, passwordAttempt } from '../rigs/raw/login.ts'
import { endsWith, target } from './target.ts'

const graceMs = 1000

describe('a client that stops', () => {
  const attack = target({ loginGrace: graceMs })

  /** `told`: from its identification line on a client understands a DISCONNECT. */
  const stages: readonly (readonly [name: string, told: boolean, go: (client: RawClient) => unknown])[] = [
    ['after it has connected', false, () => undefined],
    ['inside of its identification line', false, (client) => client.write('SSH-2.0-Open')],
    ['after its identification line', true, (client) => client.identify()],
    [
      'inside of its KEXINIT',
      true,
      (client) => {
        client.identify()
        client.write(client.sealed(kexInit()).subarray(0, 100))
      },
    ],
    [
      'after its KEXINIT',
      true,
      (client) => {
        client.identify()
        client.begin()
      },
    ],
    [
      'before its NEWKEYS',
      true,
      async (client) => {
        client.identify()
        client.begin()
        client.publicValue()
        await client.receive(21)
      },
    ],
    ['after its NEWKEYS', true, handshake],
    [
      'inside of an encrypted packet',
      true,
      async (client) => {
        await approach(client)
        client.write(client.sealed(passwordAttempt('mallory', 'x')).subarray(0, 30))
      },
    ],
    ['after the service request', true, approach],
    [
      'between two attempts to authenticate',
      true,
      async (client) => {
        await approach(client)
        // Costs no time to refuse.
        client.send(attempt('mallory', 'none', Buffer.alloc(0)))
        await client.receive(51)
      },
    ],
    [
      'after a key was found good',
      true,
      async (client) => {
        await approach(client)
        client.send(keyQuery('mallory', attack.key.algorithm, attack.key.blob))
        await client.receive(60)
      },
    ],
  ]
  for (const [name, told, go] of stages) {
    test(`${name} is ended by the login grace`, async () => {
      const attacker = await attack.connect()
      await go(attacker.client)
      const { told: disconnect, reason } = await attacker.end()
      assert.equal(reason, 'the login took too long')
      assert.equal((await attacker.record('SSH_HANDSHAKE_FAILED')).labels['reason'], reason)
      if (told && disconnect !== undefined) assert.equal(disconnect.reason, 11)
      // In the middle of the first key exchange the client has keys that we cannot use yet, or none.
      assert.equal(disconnect !== undefined, told)
    })
  }

  test('and drips its identification line byte by byte gains no time', async () => {
    const attacker = await attack.connect()
    const line = [...'SSH-2.0-a_long_and_winding_name_of_a_software_that_does_not_exist_and_never_will']
    const drip = setInterval(() => attacker.client.write(line.shift() ?? 'x'), 20)
    const { reason } = await attacker.end()
    clearInterval(drip)
    assert.equal(reason, 'the login took too long')
  })

  test('and floods the server with messages that need no login gains no time either', async () => {
    const attacker = await attack.approach()
    const flood = setInterval(() => {
      for (let i = 0; i < 100; i++) attacker.client.send(Buffer.of(2, 0, 0, 0, 0))
    }, 5)
    await endsWith(attacker, 11, /the login took too long/)
    clearInterval(flood)
    await attack.serves()
  })

  test('leaves nothing behind', () => attack.forgets())
})

describe('a client that goes away without a word', () => {
  const attack = target()
  const stages: readonly (readonly [string, (client: RawClient) => unknown, RegExp])[] = [
    ['after it has connected', () => undefined, /before the key exchange was complete|lost during the key exchange/],
    ['inside of its identification line', (client) => client.write('SSH-'), /before the key exchange was complete/],
    [
      'after its KEXINIT',
      (client) => {
        client.identify()
        client.begin()
      },
      /before the key exchange was complete/,
    ],
    ['after its NEWKEYS', handshake, /the client disconnected/],
    [
      'inside of an encrypted packet',
      async (client) => {
        await approach(client)
        client.write(client.sealed(passwordAttempt('mallory', 'x')).subarray(0, 30))
      },
      /inside of a packet/,
    ],
    [
      'while its password is being checked',
      async (client) => {
        await approach(client)
        client.send(passwordAttempt('mallory', attack.password))
      },
      /the client disconnected/,
    ],
  ]
  for (const [name, go, reason] of stages) {
    test(`${name} leaves one line about it and nothing else`, async () => {
      const attacker = await attack.connect()
      await go(attacker.client)
      attacker.client.socket.end()
      const record = await attacker.record('SSH_HANDSHAKE_FAILED')
      assert.match(String(record.labels['reason']), reason)
      await attacker.record('SSH_DISCONNECTED')
      assert.equal(attacker.codes().filter((code) => code === 'SSH_HANDSHAKE_FAILED').length, 1)
      await attack.serves()
      await attack.forgets()
    })
    test(`${name} and resets the connection is gone, too`, async () => {
      const attacker = await attack.connect()
      await go(attacker.client)
      attacker.client.socket.resetAndDestroy()
      await attacker.record('SSH_DISCONNECTED')
      await attack.forgets()
    })
  }
})
