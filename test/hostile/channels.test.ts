/** Channels (RFC 4254 section 5) against their rules: windows, sizes, numbers, the order of messages. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Program } from '../../src/workers/ports.ts'
import { Reader, Writer } from '../../src/workers/ssh/bytes.ts'
import { channelMessage, channelOpen, windowAdjust } from '../../src/workers/ssh/messages.ts'
import { message } from '../../src/workers/ssh/numbers.ts'
import { channelRequest } from '../../src/workers/ssh/requests.ts'
import { until } from '../rigs/daemon.ts'
import type { RawClient } from '../rigs/raw/client.ts'
import { exec, openSession, run, session } from '../rigs/raw/login.ts'
import { type Attacker, endsWith, target } from './target.ts'

const data = (channel: number, bytes: number): Buffer =>
  new Writer(message.channelData, bytes + 16).uint32(channel).string(Buffer.alloc(bytes, 0x61)).finish()
const extended = (channel: number, code: number, bytes: number): Buffer =>
  new Writer(message.channelExtendedData, bytes + 16).uint32(channel).uint32(code).string(Buffer.alloc(bytes)).finish()
const unknown = 4_000_000_000

describe('a client with a channel', () => {
  const attack = target()
  const opened = async (command = 'wait'): Promise<Attacker & { readonly program: Program | undefined }> => {
    const attacker = await attack.login()
    await session(attacker.client)
    attacker.client.send(exec(0, command))
    await attacker.client.receive(message.channelSuccess)
    return { ...attacker, program: [...attack.server.room.running].at(-1) }
  }
  /** Refused for good, with a line that says so; the program is ended. */
  const violates = async (attacker: Awaited<ReturnType<typeof opened>>, text: RegExp): Promise<void> => {
    await endsWith(attacker, 2, text)
    assert.match(String((await attacker.record('SSH_PROTOCOL_ERROR')).labels['reason']), text)
    const { program } = attacker
    assert.ok(program !== undefined)
    await until('the program is gone', () => !attack.server.room.running.has(program))
  }

  const broken: readonly (readonly [name: string, go: (client: RawClient) => void, text: RegExp])[] = [
    ['more data than the window', (client) => [1, 2, 3].map(() => client.send(data(0, 32_768))), /than the window/],
    [
      'more extended data than data has left of the window',
      (client) => [data(0, 32_768), data(0, 32_768), extended(0, 1, 1)].map((payload) => client.send(payload)),
      /more data than the window allows/,
    ],
    ['extended data of 256 KiB', (client) => client.send(extended(0, 1, 262_000)), /a packet larger than announced/],
    ['a packet larger than announced', (client) => client.send(data(0, 32_769)), /a packet larger than announced/],
    ['256 KiB in one packet', (client) => client.send(data(0, 262_000)), /a packet larger than announced/],
    ['data whose length lies', (client) => client.send(Buffer.of(94, 0, 0, 0, 0, 255, 255, 255, 255)), /malformed/],
    ['data without a length', (client) => client.send(Buffer.of(94, 0, 0, 0, 0)), /malformed channel data/],
    ['data without a channel', (client) => client.send(Buffer.of(94)), /channel that is not open/],
    ['extended data without a type', (client) => client.send(Buffer.of(95, 0, 0, 0, 0)), /malformed channel data/],
    ['a window of more than 2^32-1 bytes', (client) => client.send(windowAdjust(0, 0xffff_ffff)), /larger than 2\^32/],
    [
      'windows that add up to more',
      (client) => [1, 2, 3].map(() => client.send(windowAdjust(0, 0x7fff_ffff))),
      /a window larger than 2\^32-1 bytes/,
    ],
    ['half a window', (client) => client.send(Buffer.of(93, 0, 0, 0, 0, 0)), /malformed window adjust/],
    ['EOF with something behind it', (client) => client.send(Buffer.of(96, 0, 0, 0, 0, 0)), /malformed message 96/],
    ['CLOSE without a channel', (client) => client.send(Buffer.of(97)), /malformed message 97/],
    ['half a request', (client) => client.send(Buffer.of(98, 0, 0, 0, 0, 0, 0)), /malformed channel request/],
    ['half an open', (client) => client.send(Buffer.of(90, 0, 0, 0, 7)), /malformed channel open/],
    ['half a ping', (client) => client.send(Buffer.of(192, 0)), /malformed ping/],
    [
      'CLOSE twice',
      (client) => [1, 2].map(() => client.send(channelMessage(message.channelClose, 0))),
      /message 97 for a channel that is not open/,
    ],
  ]
  for (const [name, go, text] of broken) {
    test(`that sends ${name} is disconnected`, async () => {
      const attacker = await opened()
      go(attacker.client)
      await violates(attacker, text)
    })
  }

  const addressed: readonly (readonly [name: string, payload: (channel: number) => Buffer])[] = [
    ['data', (channel) => data(channel, 1)],
    ['extended data', (channel) => extended(channel, 1, 1)],
    ['EOF', (channel) => channelMessage(message.channelEof, channel)],
    ['CLOSE', (channel) => channelMessage(message.channelClose, channel)],
    ['a request', (channel) => exec(channel, 'id')],
  ]
  for (const [name, payload] of addressed) {
    test(`that sends ${name} for a channel that never was is disconnected`, async () => {
      const attacker = await opened()
      attacker.client.send(payload(unknown))
      await violates(attacker, /^message \d+ for a channel that is not open$/)
    })
    test(`that sends ${name} for a channel that is not confirmed yet is disconnected`, async () => {
      const attacker = await opened()
      attacker.client.send(openSession({ sender: 1 }))
      attacker.client.send(payload(1))
      await violates(attacker, /^message \d+ for a channel that is not open$/)
    })
    test(`that sends ${name} for a channel that both have closed is disconnected`, async () => {
      const attacker = await opened()
      attacker.client.send(channelMessage(message.channelClose, 0))
      attacker.client.send(payload(0))
      await violates(attacker, /^message \d+ for a channel that is not open$/)
    })
    if (name === 'CLOSE') continue
    test(`that sends ${name} for a channel that only we have closed is served on`, async () => {
      const attacker = await opened('exit 3')
      await attacker.client.receive(message.channelClose)
      attacker.client.send(payload(0))
      attacker.client.send(channelMessage(message.channelClose, 0))
      assert.equal(await run(attacker.client, 'exit 4'), 4)
    })
    test(`that sends ${name} after its EOF is served on`, async () => {
      const attacker = await opened('sink')
      attacker.client.send(channelMessage(message.channelEof, 0))
      if (name !== 'a request') attacker.client.send(payload(0))
      await attacker.client.receive(message.channelClose)
      attacker.client.send(channelMessage(message.channelClose, 0))
      assert.equal(await run(attacker.client, 'exit 4'), 4)
    })
  }

  for (const code of [0, 2, 0xffff_ffff]) {
    test(`that sends extended data of type ${code} loses it, and its window comes back`, async () => {
      const { client } = await opened('sink')
      for (let i = 0; i < 10; i++) {
        client.send(extended(0, code, 32_768))
        await client.receive(message.channelWindowAdjust)
      }
      client.send(channelMessage(message.channelEof, 0))
      const said = new Reader(await client.receive(message.channelData), 5).string().toString()
      // SHA-256 of nothing: the program saw none of it.
      assert.equal(said, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    })
  }
  test('that sends what only a server sends for it is disconnected, or not heard', async () => {
    for (const number of [91, 92, 99, 100]) {
      const attacker = await opened()
      attacker.client.send(Buffer.concat([Buffer.of(number), Buffer.alloc(16)]))
      attacker.client.send(new Writer(message.ping).string('alive').finish())
      const alive = attacker.client.receive(message.pong).then(() => undefined)
      const end = await Promise.race([attacker.client.ended, alive])
      if (end !== undefined) assert.equal(end.reason, 2)
      attacker.client.socket.destroy()
    }
  })
  test('of one byte per packet does not keep others waiting', async () => {
    const { client } = await attack.login()
    client.send(openSession({ windowBytes: 0xffff_ffff, maximumPacket: 1 }))
    await client.receive(message.channelOpenConfirmation)
    client.send(exec(0, 'source 1000000000'))
    await client.receive(message.channelData)
    await attack.serves()
    client.socket.destroy()
  })
  test('that announces packets of 0 bytes, or no window, is refused, or waited for', async () => {
    const { client } = await attack.login()
    client.send(openSession({ sender: 7, maximumPacket: 0 }))
    assert.equal(new Reader(await client.receive(message.channelOpenFailure), 1).uint32(), 7)
    await session(client, { windowBytes: 0 })
    client.send(exec(0, 'source 10'))
    await client.receive(message.channelSuccess)
    client.send(windowAdjust(0, 10))
    await client.receive(message.channelData)
  })
  test('with a number of 2^32-1 gets answers to that number', async () => {
    const { client } = await attack.login()
    client.send(openSession({ sender: 0xffff_ffff }))
    assert.equal(new Reader(await client.receive(message.channelOpenConfirmation), 1).uint32(), 0xffff_ffff)
  })
  test('of a type with 255 characters, or with a name that steers terminals, reads a refusal', async () => {
    const attacker = await attack.login()
    for (const type of ['x'.repeat(255), '\x1b]0;owned\x07', 'a\nb', '']) {
      const open = { type, sender: 1, windowBytes: 1, maximumPacket: 1, data: Buffer.alloc(0) }
      attacker.client.send(channelOpen(open))
      await attacker.client.receive(message.channelOpenFailure)
    }
    assert.equal(attacker.codes().filter((code) => code === 'SSH_UNSUPPORTED_CHANNEL_TYPE').length, 4)
  })
  test('that sends 10,000 variables keeps those that fit, and no more memory than they take', async () => {
    const { client } = await attack.login()
    await session(client)
    let accepted = 0
    for (let i = 0; i < 100; i++) {
      client.send(channelRequest(0, { kind: 'env', name: `V${i}`, value: 'x'.repeat(100_000) }, true))
      const [answer] = await client.receive()
      if (answer === message.channelSuccess) accepted++
      else if (answer !== message.channelFailure) i--
    }
    assert.ok(accepted > 0 && accepted <= 10, `${accepted} of 100 variables of 100 KB`)
    for (let i = 0; i < 9900; i++) client.send(channelRequest(0, { kind: 'env', name: `W${i}`, value: '' }, false))
    client.send(exec(0, 'wait'))
    await client.receive(message.channelSuccess)
    const sizes = [...attack.server.room.running].map(({ env }) => env.size)
    assert.deepEqual(
      sizes.filter((size) => size > accepted && size > 1000),
      [],
    )
    assert.ok(sizes.some((size) => size > accepted))
  })
  test('disturbs nobody', async () => {
    await attack.serves()
    await attack.forgets()
  })
})
