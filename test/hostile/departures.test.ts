/** Clients that go away in the middle of something: what they had is ended and forgotten, whatever it was doing. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sshString } from '../../src/workers/ssh/blob.ts'
import { Writer } from '../../src/workers/ssh/bytes.ts'
import { message } from '../../src/workers/ssh/numbers.ts'
import { until } from '../rigs/daemon.ts'
import type { RawClient } from '../rigs/raw/client.ts'
import { exec, openSession, session } from '../rigs/raw/login.ts'
import { target } from './target.ts'

const data = new Writer(message.channelData, 40_000).uint32(0).string(Buffer.alloc(32_768)).finish()
const farewell = (reason: number): Buffer =>
  Buffer.concat([Buffer.of(1, 0, 0, 0, reason), sshString('I am off'), sshString('')])

const middles: readonly (readonly [name: string, go: (client: RawClient) => unknown])[] = [
  ['while its channel is being opened', (client) => client.send(openSession())],
  [
    'while its program is being started',
    async (client) => {
      await session(client)
      client.send(exec(0, 'slow wait'))
    },
  ],
  [
    'while its program runs',
    async (client) => {
      await session(client)
      client.send(exec(0, 'wait'))
      await client.receive(message.channelSuccess)
    },
  ],
  [
    'while it is being sent a lot',
    async (client) => {
      await session(client, { windowBytes: 0xffff_ffff })
      client.send(exec(0, 'source 1000000000'))
      await client.receive(message.channelData)
    },
  ],
  [
    'while it sends a lot',
    async (client) => {
      await session(client)
      client.send(exec(0, 'sink'))
      await client.receive(message.channelSuccess)
      for (let i = 0; i < 2; i++) client.send(data)
    },
  ],
  [
    'inside of a packet',
    async (client) => {
      await session(client)
      client.write(client.sealed(data).subarray(0, 20_000))
    },
  ],
  ['after its KEXINIT for new keys', (client) => client.begin()],
  [
    'before its NEWKEYS for new keys',
    async (client) => {
      client.begin()
      client.publicValue()
      await client.receive(31)
    },
  ],
  [
    'with 64 channels',
    async (client) => {
      for (let i = 0; i < 64; i++) await session(client, { sender: i })
      for (let i = 0; i < 64; i++) client.send(exec(i, 'wait'))
    },
  ],
]
const ways: readonly (readonly [name: string, leave: (client: RawClient) => unknown])[] = [
  ['ends the connection', (client) => client.socket.end()],
  ['resets the connection', (client) => client.socket.resetAndDestroy()],
  ['says that it is done', (client) => client.socket.end(client.sealed(farewell(11)))],
  ['says that we broke the protocol', (client) => client.socket.end(client.sealed(farewell(2)))],
]

describe('a client that', () => {
  const attack = target()
  for (const [when, go] of middles) {
    for (const [how, leave] of ways) {
      test(`${how} ${when} leaves nothing behind`, async () => {
        const attacker = await attack.login()
        await go(attacker.client)
        leave(attacker.client)
        await attacker.record('SSH_DISCONNECTED')
        attacker.client.socket.destroy()
        await until('its programs are gone', () => attack.server.room.running.size === 0)
        await until('it is gone', () => attack.server.intake.size === 1)
        assert.equal(attack.server.room.inside(), 1)
        assert.ok(!attacker.codes().includes('UNKNOWN_ERROR'))
      })
    }
  }
  test('went away disturbs nobody', async () => {
    await attack.serves()
    await attack.forgets()
  })
})
