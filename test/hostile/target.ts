/** What hostile clients attack: a real server in this process, with a bystander who must not notice anything. */
import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import type { Config } from '../../src/shared/config/index.ts'
import type { LogRecord } from '../../src/shared/log.ts'
import { hashPassword } from '../../src/shared/password.ts'
import { until } from '../rigs/daemon.ts'
import { type Disconnect, RawClient } from '../rigs/raw/client.ts'
import type { Lists } from '../rigs/raw/kexinit.ts'
import { approach, handshake, loginWithKey, makeRawKey, type RawKey, run } from '../rigs/raw/login.ts'
import { startServer, type TestServer } from '../rigs/server.ts'

export interface Attacker {
  readonly client: RawClient
  /** The records of this connection. */
  records(): LogRecord[]
  codes(): string[]
  /** The first record of this connection with that code, past or to come. */
  record(code: string): Promise<LogRecord>
  /** Waits for the end: what the client was told, and what the log says about it. */
  end(): Promise<{ told: Disconnect | undefined; reason: string }>
}

export interface Target {
  readonly server: TestServer
  readonly key: RawKey
  readonly password: string
  /** A TCP connection that has sent nothing. One at a time. */
  connect(): Promise<Attacker>
  /** After the first key exchange. */
  handshake(lists?: Lists): Promise<Attacker>
  /** After the service request. */
  approach(lists?: Lists): Promise<Attacker>
  login(lists?: Lists): Promise<Attacker>
  /** An old connection and a new one are served. */
  serves(): Promise<void>
  /** Nothing of any attacker is left, and its connections cost no more memory. */
  forgets(): Promise<void>
}

/** Inside of `describe`: a server for its tests. */
export function target(ssh: Partial<Config['ssh']> = {}): Target {
  const key = makeRawKey()
  const password = 'secret'
  const clients: RawClient[] = []
  let server: TestServer
  let bystander: RawClient
  before(async () => {
    const passwordHash = await hashPassword(Buffer.from(password))
    const users = ['mallory', 'bob'].map((name) => ({ name, passwordHash, authorizedKeys: [key.line] }))
    server = await startServer({ ssh, users })
    bystander = await loginWithKey(await RawClient.connect(server.port), 'bob', key)
  })
  after(async () => {
    for (const client of [...clients, bystander]) client.socket.destroy()
    await server[Symbol.asyncDispose]()
  })
  const connect = async (): Promise<Attacker> => {
    const connected = (): LogRecord[] => server.records.filter(({ code }) => code === 'SSH_CONNECTED')
    const count = connected().length
    const client = await RawClient.connect(server.port)
    clients.push(client)
    const id = (await until('the connection', () => connected()[count])).labels['connectionId']
    const records = (): LogRecord[] => server.records.filter(({ labels }) => labels['connectionId'] === id)
    const record = (code: string): Promise<LogRecord> =>
      until(code, () => records().find((candidate) => candidate.code === code))
    return {
      client,
      records,
      record,
      codes: () => records().map(({ code }) => code),
      async end() {
        const told = await client.ended
        await client.closed
        return { told, reason: String((await record('SSH_DISCONNECTED')).labels['reason']) }
      },
    }
  }
  const advance = async (step: (client: RawClient) => Promise<unknown>): Promise<Attacker> => {
    const attacker = await connect()
    await step(attacker.client)
    return attacker
  }
  return {
    get server() {
      return server
    },
    key,
    password,
    connect,
    handshake: (lists) => advance((client) => handshake(client, lists)),
    approach: (lists) => advance((client) => approach(client, lists)),
    login: (lists) => advance((client) => loginWithKey(client, 'mallory', key, lists)),
    async serves() {
      assert.equal(await run(bystander, 'exit 5'), 5)
      const newcomer = await loginWithKey(await RawClient.connect(server.port), 'bob', key)
      assert.equal(await run(newcomer, 'exit 6'), 6)
      newcomer.socket.destroy()
    },
    async forgets() {
      for (const client of clients.splice(0)) client.socket.destroy()
      await until('only the bystander', () => server.intake.size === 1 && server.room.running.size === 0)
    },
  }
}

/** The connection ended with this reason for both sides: the client was told, and the log has it on one line. */
export async function endsWith(attacker: Attacker, reason: number, text: RegExp): Promise<void> {
  const { told, reason: logged } = await attacker.end()
  assert.equal(told?.reason, reason, `told ${JSON.stringify(told)}, logged ${logged}`)
  assert.match(told.text, text)
  assert.match(logged, text)
}
