import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fault } from '../../../src/shared/codes/fault.ts'
import type { Inquiry } from '../../../src/shared/webhook/data.ts'
import type { Attempt, AuthVerdict } from '../../../src/workers/ports.ts'
import { Reader, Writer } from '../../../src/workers/ssh/bytes.ts'
import { message } from '../../../src/workers/ssh/numbers.ts'
import { letIn, type Script, serve, settle } from './double.ts'

const failure = (): AuthVerdict => ({ outcome: 'failure', fault: fault('AUTH_FAILED', { username: 'u' }) })
const methods = ['publickey', 'keyboard-interactive']
const failed = 'auth failure publickey,keyboard-interactive'
const begin = new Writer(0).string('').string('pam').finish().subarray(1)
const inquiry: Inquiry = {
  name: 'Second factor',
  instruction: 'Look at your phone',
  prompts: [
    { text: 'Code: ', echo: true },
    { text: 'PIN: ', echo: false },
  ],
}
const answers = (...texts: string[]): Buffer => {
  const writer = new Writer(message.userauthInfoResponse).uint32(texts.length)
  for (const text of texts) writer.string(text)
  return writer.finish()
}

/** A server that asks the inquiry so often, and keeps what it was told. */
function asking(times: number, script: Script = {}) {
  const told: (string[] | undefined)[] = []
  const kept: Uint8Array[] = []
  const authenticate = async (user: string, attempt: Attempt): Promise<AuthVerdict> => {
    if (attempt.method !== 'keyboard-interactive') return failure()
    assert.equal(attempt.submethods, 'pam')
    for (let i = 0; i < times; i++) {
      const given = await attempt.ask(inquiry)
      told.push(given?.map((bytes) => Buffer.from(bytes).toString()))
      if (given === undefined) return failure()
      kept.push(...given)
    }
    return letIn(user)
  }
  const server = serve({ methods, authenticate, ...script })
  const ask = async (): Promise<void> => {
    server.client.attempt('alice', 'keyboard-interactive', begin)
    await settle()
  }
  return { ...server, told, kept, ask }
}

test('questions go out as RFC 4256 says, and their answers let the user in', async () => {
  const { client, wire, told, ask } = asking(1)
  await ask()
  const reader = new Reader(wire.sent.at(-1) ?? Buffer.alloc(0))
  assert.equal(reader.byte(), 60)
  assert.deepEqual([reader.text(), reader.text(), reader.text()], ['Second factor', 'Look at your phone', ''])
  assert.equal(reader.uint32(), 2)
  assert.deepEqual([reader.text(), reader.boolean()], ['Code: ', true])
  assert.deepEqual([reader.text(), reader.boolean()], ['PIN: ', false])
  assert.ok(reader.complete)
  client.send(answers('123', 'ü'))
  assert.equal((await client.heard()).at(-1), 'auth success')
  assert.deepEqual(told, [['123', 'ü']])
})

test('answers are wiped when the attempt has been decided', async () => {
  const { client, kept, ask } = asking(1)
  await ask()
  client.send(answers('123', 'topsecret'))
  await settle()
  assert.ok(kept.length === 2 && kept.every((bytes) => bytes.every((byte) => byte === 0)))
})

test('an attempt may have several rounds, but not any number of them', async () => {
  const { client, told, ask } = asking(1000)
  await ask()
  for (let i = 0; i < 20; i++) {
    client.send(answers(`${i}`, ''))
    await settle()
  }
  assert.equal((await client.heard()).at(-1), failed)
  assert.deepEqual([told.length, told.at(-2), told.at(-1)], [17, ['15', ''], undefined])
})

for (const [name, payload] of [
  ['another number of answers', answers('only one')],
  ['fewer bytes than it says', answers('a', 'b').subarray(0, -1)],
  ['more bytes than it says', Buffer.concat([answers('a', 'b'), Buffer.of(0)])],
  ['an absurd count', Buffer.from('3dffffffff', 'hex')],
] as const) {
  test(`a response with ${name} fails the attempt, and nothing else`, async () => {
    const { client, wire, ask } = asking(1)
    await ask()
    client.send(payload)
    assert.equal((await client.heard()).at(-1), failed)
    assert.equal(wire.ended, undefined)
    await ask()
    client.send(answers('1', '2'))
    assert.equal((await client.heard()).at(-1), 'auth success')
  })
}

test('a client that begins another attempt instead of answering has given up the first', async () => {
  const { client, told, ask } = asking(1)
  await ask()
  client.password('alice', 'x')
  assert.deepEqual((await client.heard()).slice(-2), [failed, failed])
  assert.deepEqual(told, [undefined])
})

test('a client that does not even wait for the question is not asked', async () => {
  const { client, wire } = serve({
    methods,
    async authenticate(user, attempt) {
      if (attempt.method !== 'keyboard-interactive') return failure()
      // A server that has to think first.
      await settle()
      return (await attempt.ask(inquiry)) === undefined ? failure() : letIn(user)
    },
  })
  client.attempt('alice', 'keyboard-interactive', begin)
  client.password('alice', 'x')
  await settle()
  assert.deepEqual(await client.heard(), [failed, failed])
  assert.ok(wire.sent.every((payload) => payload[0] !== message.userauthInfoRequest))
})

test('a client that goes away ends the waiting', async () => {
  const { wire, told, ask, disposed } = asking(1)
  await ask()
  wire.destroy()
  await settle()
  assert.deepEqual(told, [undefined])
  assert.deepEqual(disposed, ['connection'])
})

test('an answer that nobody asked for is ignored', async () => {
  const { client, wire } = asking(1)
  client.send(answers('1'))
  assert.deepEqual(await client.heard(), [])
  assert.equal(wire.ended, undefined)
})

test('a partial success tells what is needed next and is no failure', async () => {
  const { client, wire } = serve({
    ssh: { maxAuthTries: 2 },
    authenticate: () => ({ outcome: 'partial', methods: ['password'] }),
  })
  for (let i = 0; i < 5; i++) client.password('alice', 'x')
  assert.deepEqual(
    await client.heard(),
    Array.from({ length: 5 }, () => 'auth failure password partial'),
  )
  assert.equal(wire.ended, undefined)
  assert.ok(!client.codes.includes('SSH_AUTH_FAILED'))
})

test('a failure may name other methods than those of the connection', async () => {
  const { client } = serve({ authenticate: () => ({ ...failure(), methods: ['password'] }) as AuthVerdict })
  client.password('alice', 'x')
  assert.deepEqual(await client.heard(), ['auth failure password'])
})
