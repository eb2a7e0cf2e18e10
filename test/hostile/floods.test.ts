/** Clients that send a lot of something: it costs them more than us, it has an end, and others are served meanwhile. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Reader, Writer } from '../../src/workers/ssh/bytes.ts'
import { channelOpen, globalRequest, windowAdjust } from '../../src/workers/ssh/messages.ts'
import { message } from '../../src/workers/ssh/numbers.ts'
import { channelRequest } from '../../src/workers/ssh/requests.ts'
import { RawClient } from '../rigs/raw/client.ts'
import { approach, exec, openSession, session } from '../rigs/raw/login.ts'
import { type Attacker, endsWith, target } from './target.ts'

const ping = new Writer(message.ping).string('x'.repeat(1000)).finish()
const pong = message.pong
const ignore = Buffer.concat([Buffer.of(2, 0, 0, 3, 232), Buffer.alloc(1000)])
const debug = Buffer.concat([Buffer.of(4, 1, 0, 0, 0, 4), Buffer.from('\x1b[2J'), Buffer.of(0, 0, 0, 0)])
const foreign = channelOpen({ type: 'foreign', sender: 5, windowBytes: 1, maximumPacket: 1, data: Buffer.alloc(0) })

/** In pieces, so that the server, which is in this process, gets its turns. */
async function flood(client: RawClient, payload: Uint8Array, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    client.send(payload)
    if (i % 500 === 0) await turn()
  }
}
/** The server has read and handled everything before. */
async function settled(client: RawClient): Promise<void> {
  client.send(new Writer(message.ping).string('settled').finish())
  while (!(await client.receive(pong)).includes('settled'));
}

describe('a flood', () => {
  const attack = target()

  test('of 100,000 channels that are refused is answered one by one, and its cost is given back', async () => {
    const attacker = await attack.login()
    const { client } = attacker
    const before = process.memoryUsage()
    let refused = 0
    for (let round = 0; round < 100; round++) {
      const sent = flood(client, foreign, 1000)
      for (let i = 0; i < 1000; i++) {
        const answer = new Reader(await client.receive(message.channelOpenFailure), 1)
        if (answer.uint32() === 5 && answer.uint32() === 3) refused++
      }
      await sent
    }
    assert.equal(refused, 100_000)
    await attack.serves()
    const { arrayBuffers } = process.memoryUsage()
    assert.ok(arrayBuffers - before.arrayBuffers < 32 << 20, `${arrayBuffers - before.arrayBuffers} bytes`)
  })
  test('of sessions ends at the limit of channels, which is told once', async () => {
    const attacker = await attack.login()
    await flood(attacker.client, openSession({ sender: 9 }), 1000)
    await settled(attacker.client)
    assert.equal(attacker.codes().filter((code) => code === 'SSH_NEW_CHANNEL').length, 64)
    assert.equal(attacker.codes().filter((code) => code === 'SSH_CHANNEL_LIMIT').length, 1)
  })

  const unread: readonly (readonly [name: string, payload: Buffer])[] = [
    ['global requests', globalRequest('who-goes-there@example.org', true)],
    ['keepalives', globalRequest('keepalive@openssh.com', true)],
    ['pings', ping],
    ['channel opens', foreign],
    ['messages that nobody knows', Buffer.of(250)],
  ]
  for (const [name, payload] of unread) {
    test(`of ${name} by a client that reads no answers stops being read`, async () => {
      const { client } = await attack.login()
      client.socket.pause()
      const before = process.memoryUsage().arrayBuffers
      // Until the kernel takes nothing more: the server has stopped reading.
      for (let sent = 0; sent < 300_000_000 && client.socket.writableLength < 1_000_000; sent += payload.length)
        await flood(client, payload, 1000)
      assert.ok(client.socket.writableLength >= 1_000_000)
      await attack.serves()
      const cost = process.memoryUsage().arrayBuffers - before - client.socket.writableLength
      assert.ok(cost < 64 << 20, `${cost} bytes`)
      client.socket.destroy()
    })
  }

  const harmless: readonly (readonly [name: string, payload: Buffer])[] = [
    ['IGNORE', ignore],
    ['DEBUG', debug],
    ['pings', ping],
    ['UNIMPLEMENTED', Buffer.of(3, 0, 0, 0, 0)],
    ['EXT_INFO', Buffer.of(7, 0, 0, 0, 0)],
  ]
  for (const [name, payload] of harmless) {
    for (const [when, arrive] of [
      ['before the login', attack.approach],
      ['after the login', attack.login],
    ] as const) {
      test(`of ${name} ${when} is answered or dropped, without a line in the log for each`, async () => {
        const attacker = await arrive()
        const sent = flood(attacker.client, payload, 20_000)
        await attack.serves()
        await sent
        await settled(attacker.client)
        assert.ok(attacker.records().length < 20)
        attacker.client.socket.destroy()
      })
    }
  }
  test('of window adjusts of one byte each is taken', async () => {
    const { client } = await attack.login()
    await session(client, { windowBytes: 0 })
    client.send(exec(0, 'source 20000'))
    await client.receive(message.channelSuccess)
    // One more than the program needs: it learns that it may go on when there is room.
    await flood(client, windowAdjust(0, 1), 20_001)
    await attack.serves()
    await client.receive(message.channelClose)
  })
  test('of resizes and signals for a program is kept within bounds', async () => {
    const attacker = await attack.login()
    await session(attacker.client)
    attacker.client.send(exec(0, 'wait'))
    const size = { columns: 1, rows: 1, widthPixels: 0, heightPixels: 0 }
    await flood(attacker.client, channelRequest(0, { kind: 'window-change', size }, false), 5000)
    await flood(attacker.client, channelRequest(0, { kind: 'signal', name: 'USR1' }, false), 5000)
    await attack.serves()
    attacker.client.send(channelRequest(0, { kind: 'signal', name: 'TERM' }, false))
    await attacker.client.receive(message.channelClose)
  })
  test('of one-byte pieces of data is taken by a program that reads, and kept in one window by one that does not', async () => {
    const { client } = await attack.login()
    await session(client)
    client.send(exec(0, 'wait'))
    await client.receive(message.channelSuccess)
    const before = process.memoryUsage().heapUsed
    await flood(client, new Writer(message.channelData, 10).uint32(0).string('x').finish(), 60_000)
    await settled(client)
    assert.ok(process.memoryUsage().heapUsed - before < 64 << 20)
    await attack.serves()
  })
  test('disturbs nobody', async () => {
    await attack.serves()
    await attack.forgets()
  })
})

describe('a storm of key exchanges', () => {
  const attack = target()
  const storm = async ({ client }: Attacker, between: (client: RawClient) => void): Promise<number> => {
    for (let count = 0; count < 200; count++) {
      try {
        await client.exchange()
      } catch {
        return count
      }
      between(client)
    }
    return 200
  }
  const nothing = (): void => undefined
  const little = (client: RawClient): void => client.send(ignore)
  for (const [when, arrive] of [
    ['before the login', attack.approach],
    ['after the login', attack.login],
  ] as const) {
    for (const [what, between] of [
      ['with nothing between them', nothing],
      ['with little between them', little],
    ] as const) {
      test(`${when}, ${what}, is ended with a reason`, async () => {
        const attacker = await arrive()
        const count = await storm(attacker, between)
        assert.ok(count >= 10 && count < 200, `${count} exchanges`)
        await endsWith(attacker, 2, /^too many key exchanges without need$/)
        await attack.serves()
      })
    }
  }
  test('with data between them is served: a client may be set to new keys after very little', async () => {
    const { client } = await attack.login()
    await session(client)
    client.send(exec(0, 'sink'))
    for (let round = 0; round < 40; round++) {
      await client.exchange()
      for (let i = 0; i < 70; i++) client.send(ignore)
    }
    await settled(client)
    client.socket.destroy()
  })
  test('disturbs nobody', async () => {
    await attack.serves()
    await attack.forgets()
  })
})

describe('200 connections from one address at once', () => {
  const attack = target()
  test('that do nothing, leave room for others, and are forgotten', async () => {
    const crowd = await Promise.all(Array.from({ length: 200 }, () => RawClient.connect(attack.server.port)))
    await attack.serves()
    for (const one of crowd) one.identify()
    await attack.serves()
    for (const one of crowd) one.socket.destroy()
    await attack.forgets()
  })
  test('that exchange keys all together, leave room for others, and are forgotten', async () => {
    const crowd = Array.from({ length: 200 }, async () => approach(await RawClient.connect(attack.server.port)))
    await attack.serves()
    for (const one of await Promise.all(crowd)) one.socket.resetAndDestroy()
    await attack.forgets()
  })
})
