/** Clients that break the rules of RFC 4254, or keep to them with bad intent, over real sockets. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { hashPassword } from '../../../src/shared/password.ts'
import { Reader, Writer } from '../../../src/workers/ssh/bytes.ts'
import { channelOpen, globalRequest } from '../../../src/workers/ssh/messages.ts'
import { message } from '../../../src/workers/ssh/numbers.ts'
import { channelRequest } from '../../../src/workers/ssh/requests.ts'
import { until } from '../../rigs/daemon.ts'
import { startServer, type TestServer } from '../../rigs/server.ts'
import { type Client, connectClient, serviceRequest } from './transport-rig.ts'

const gibibyte = 2 ** 30

describe('a hostile client', () => {
  let server: TestServer
  const clients: Client[] = []
  before(async () => {
    const passwordHash = await hashPassword(Buffer.from('secret'))
    server = await startServer({ users: [{ name: 'mallory', passwordHash, authorizedKeys: [] }] })
  })
  after(async () => {
    for (const client of clients) client.socket.destroy()
    await server[Symbol.asyncDispose]()
  })

  /** The next message with that number. */
  async function receive(client: Client, number: number): Promise<Reader> {
    for (;;) {
      const payload = await client.receive()
      if (payload[0] === number) return new Reader(payload, 1)
    }
  }
  async function login(): Promise<Client> {
    const client = await connectClient(server.port)
    clients.push(client)
    await client.exchanged()
    client.send(serviceRequest)
    const attempt = new Writer(message.userauthRequest).string('mallory').string('ssh-connection').string('password')
    client.send(attempt.boolean(false).string('secret').finish())
    await receive(client, message.userauthSuccess)
    return client
  }
  async function open(client: Client, windowBytes: number): Promise<void> {
    const data = Buffer.alloc(0)
    client.send(channelOpen({ type: 'session', sender: 0, windowBytes, maximumPacket: 32_768, data }))
    await receive(client, message.channelOpenConfirmation)
  }
  async function exec(client: Client, command: string): Promise<void> {
    client.send(channelRequest(0, { kind: 'exec', command }, true))
    await receive(client, message.channelSuccess)
  }
  const isServed = async (): Promise<void> => assert.equal((await server.client.run(['exit 5'])).code, 5)

  test('that grants 4 GiB, asks for 2 GiB and stops reading costs less than 8 MiB, and so do 50 of them', async () => {
    const used = (): number => {
      const { arrayBuffers, heapUsed } = process.memoryUsage()
      return arrayBuffers + heapUsed
    }
    const before = used()
    const flood = Array.from({ length: 50 }, async () => {
      const client = await login()
      await open(client, 0xffff_ffff)
      client.socket.pause()
      client.send(channelRequest(0, { kind: 'exec', command: `source ${2 * gibibyte}` }, false))
    })
    await Promise.all(flood)
    await until('the programs run', () => server.room.running.size === 50)
    await isServed()
    await isServed()
    // Both ends are in this process, so this is an upper bound.
    assert.ok(used() - before < 50 * 2 * 1024 * 1024, `${(used() - before) / 50} bytes each`)
    for (const client of clients.splice(0)) client.socket.destroy()
    await until('everything is gone', () => server.room.running.size === 0 && server.intake.size === 0)
  })

  test('that sends more than the window allows is disconnected', async () => {
    const client = await login()
    await open(client, gibibyte)
    await exec(client, 'wait')
    const data = new Writer(message.channelData, 40_000).uint32(0).string(Buffer.alloc(32_768)).finish()
    for (let i = 0; i < 3; i++) client.send(data)
    assert.deepEqual(await client.disconnected, { reason: 2, text: 'more data than the window allows' })
    await until('the program is gone', () => server.room.running.size === 0)
  })

  test('that announces packets of 0 bytes gets no channel', async () => {
    const client = await login()
    const data = Buffer.alloc(0)
    client.send(channelOpen({ type: 'session', sender: 3, windowBytes: 9, maximumPacket: 0, data }))
    assert.equal((await receive(client, message.channelOpenFailure)).uint32(), 3)
    await open(client, gibibyte)
  })

  test('that asks for answers and does not read them is not read from any more', async () => {
    const client = await login()
    client.socket.pause()
    const ask = globalRequest('who-goes-there@example.org', true)
    // Until the kernel takes nothing more: the server has stopped reading.
    for (let sent = 0; sent < 50_000_000 && client.socket.writableLength < 4_000_000; sent += ask.length) {
      client.send(ask)
      if (sent % (ask.length * 1000) === 0) await new Promise(setImmediate)
    }
    assert.ok(client.socket.writableLength >= 4_000_000)
    await isServed()
  })
})
