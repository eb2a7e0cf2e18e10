/** What is recorded of messages that no well-behaved client sends. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaults } from '../../../src/shared/config/schema.ts'
import { MAX_BATCH_BYTES } from '../../../src/shared/ipc/contract.ts'
import type { AuditConfig } from '../../../src/workers/audit/desk.ts'
import { Writer } from '../../../src/workers/ssh/bytes.ts'
import { channelOpen } from '../../../src/workers/ssh/messages.ts'
import { message } from '../../../src/workers/ssh/numbers.ts'
import { createArchive, everything, linesOf } from '../../rigs/audit.ts'
import { letIn, refusal, type Script, serve, settle } from '../ssh/double.ts'

/** A server with one recorded connection, whose log can be read line by line. */
function recorded(script: Script = {}, audit: Partial<AuditConfig> = {}) {
  const archive = createArchive({ ...defaults().audit, intercept: everything, ...audit })
  const served = serve({ ...script, record: archive.recorders.record })
  let read = 0
  return {
    ...served,
    archive,
    /** What was recorded since the last call, once the connection is over. */
    async lines(): Promise<string[]> {
      await settle()
      const records = archive.logs.flatMap(archive.records)
      const fresh = linesOf(records.slice(read))
      read = records.length
      return fresh
    },
    async over(): Promise<string[]> {
      served.wire.destroy()
      return linesOf(await archive.ended())
    },
  }
}
const begin = [
  'connect remoteAddr="192.0.2.1" country="XX"',
  'auth_password username="alice" password="secret"',
  'auth_password_successful username="alice" password="secret"',
  `handshake_successful username="alice" facts=${JSON.stringify({
    ...{ authenticatedUsername: 'alice', methods: 'password', clientVersion: 'SSH-2.0-double' },
    ...{ kex: 'k', hostKey: 'h', cipherIn: 'c', cipherOut: 'c' },
  })}`,
]

describe('channel requests', () => {
  test('have numbers of their own in each channel, whatever becomes of them', async () => {
    const { client, over } = recorded()
    await client.login()
    await client.session()
    client.request({ kind: 'env', name: 'A', value: 'b' })
    client.request({ kind: 'unknown', type: 'eow@openssh.com', payload: Buffer.from('payload') })
    client.request({ kind: 'auth-agent-req@openssh.com' })
    const malformed = new Writer(message.channelRequest).uint32(0).string('exec').boolean(true)
    client.send(malformed.string(Buffer.of(0xff)).finish())
    client.request({ kind: 'signal', name: 'INT' })
    await client.heard()
    await client.session(undefined, undefined, 1)
    await client.exec('x', 1)
    assert.deepEqual(await over(), [
      ...begin,
      'new_channel_successful 0 channelType="session"',
      'setenv 0 requestId=0 name="A" value="b"',
      'channel_request_unknown 0 requestId=1 requestType="eow@openssh.com" payload="payload"',
      'channel_request_unknown 0 requestId=2 requestType="auth-agent-req@openssh.com" payload=""',
      'channel_request_decode_failed 0 requestId=3 requestType="exec" payload="\\u0000\\u0000\\u0000\\u0001ÿ" reason="malformed request"',
      'signal 0 requestId=4 signal="INT"',
      'new_channel_successful 1 channelType="session"',
      'exec 1 requestId=0 program="x"',
      'close 0',
      'close 1',
      'disconnect',
    ])
  })

  test('that are refused, and those whose decision failed', async () => {
    const { client, over, programs } = recorded()
    await client.login()
    await client.session()
    const [program] = programs
    assert.ok(program)
    program.answer = () => refusal('not today')
    await client.exec()
    program.answer = () => {
      throw new Error('a bug')
    }
    await client.exec()
    assert.deepEqual((await over()).slice(begin.length + 1), [
      'exec 0 requestId=0 program="x"',
      'request_failed 0 requestId=0 reason="Unexpected error."',
      'exec 0 requestId=1 program="x"',
      'request_failed 0 requestId=1 reason="Unexpected error."',
      'close 0',
      'disconnect',
    ])
  })

  test('of our own are not the client’s', async () => {
    const { client, over, intake } = recorded()
    await client.login()
    await client.session()
    await client.exec()
    const drained = intake.drain(AbortSignal.timeout(10_000))
    await settle()
    assert.deepEqual((await over()).slice(begin.length + 2), ['close 0', 'disconnect'])
    await drained
  })
})

test('global requests: known and unknown ones, and those that cannot be read; keepalives are none', async () => {
  const { client, over } = recorded()
  await client.login()
  const place = (text: string | Uint8Array, port?: number): Buffer => {
    const writer = new Writer(0).string(text)
    return (port === undefined ? writer : writer.uint32(port)).finish().subarray(1)
  }
  client.global('keepalive@openssh.com')
  client.global('something@example.org')
  client.global('no-more-sessions@openssh.com')
  client.global('tcpip-forward', true, Buffer.from('?'))
  client.global('tcpip-forward', true, place('localhost', 8080))
  client.global('cancel-tcpip-forward', true, place('localhost', 8080))
  client.global('streamlocal-forward@openssh.com', true, place('/run/x'))
  client.global('cancel-streamlocal-forward@openssh.com', true, place('/run/x'))
  await settle()
  assert.deepEqual((await over()).slice(begin.length), [
    'global_request_unknown requestType="something@example.org"',
    'global_request_unknown requestType="no-more-sessions@openssh.com"',
    'global_request_decode_failed requestId=2 requestType="tcpip-forward" payload="?" reason="malformed request"',
    'forward_tcpip BindHost="localhost" BindPort=8080',
    'cancel_forward_tcpip BindHost="localhost" BindPort=8080',
    'forward_streamlocal Path="/run/x"',
    'cancel_forward_streamlocal Path="/run/x"',
    'disconnect',
  ])
})

test('channels that are refused: of unknown types, malformed ones, too many, and those that the room refuses', async () => {
  const { client, over } = recorded({ open: () => refusal('no room'), limits: { channels: 1 } })
  await client.login()
  const nothing = Buffer.alloc(0)
  const open = { sender: 0, windowBytes: 1, maximumPacket: 1, data: nothing }
  client.send(channelOpen({ ...open, type: 'tun@openssh.com' }))
  client.send(channelOpen({ ...open, type: 'direct-tcpip' }))
  client.send(channelOpen({ ...open, type: 'session', maximumPacket: 0 }))
  await client.session()
  assert.deepEqual((await over()).slice(begin.length), [
    'new_channel_failed 0 channelType="tun@openssh.com" reason="unsupported channel type"',
    'new_channel_failed 1 channelType="direct-tcpip" reason="malformed channel open"',
    'new_channel_failed 2 channelType="session" reason="maximum packet size 0"',
    'new_channel_failed 3 channelType="session" reason="Unexpected error."',
    'disconnect',
  ])
})

test('a key that cannot be one is refused without anybody being asked', async () => {
  const { client, over } = recorded()
  const key = new Writer(0).boolean(false).string('ssh-ed25519').string('no key').finish().subarray(1)
  client.attempt('alice', 'publickey', key)
  await client.heard()
  const lines = await over()
  assert.deepEqual(lines.slice(1, 3), [
    'auth_pubkey username="alice" key="ssh-ed25519 bm8ga2V5"',
    'auth_pubkey_failed username="alice" key="ssh-ed25519 bm8ga2V5"',
  ])
})

test('a client whose requests are recorded faster than they are stored is not read', async () => {
  const { client, archive, wire, over } = recorded({}, { connectionBytes: 65_536 })
  await client.login()
  await client.session()
  archive.store = false
  const value = 'x'.repeat(8000)
  let sent = 0
  while (!wire.paused && sent < 50) {
    client.request({ kind: 'env', name: `V${sent++}`, value })
    await settle()
  }
  assert.equal(wire.paused, true)
  assert.ok(sent < 12, `${sent}`)
  archive.catchUp()
  assert.equal(wire.paused, false)
  assert.equal((await over()).filter((line) => line.startsWith('setenv')).length, sent)
})

test('nothing that a client can send makes a batch that is larger than the primary takes', async () => {
  const authenticate: Script['authenticate'] = async (user, attempt) => {
    if (attempt.method !== 'keyboard-interactive') return letIn(user)
    const prompts = Array.from({ length: 40 }, () => ({ text: 'é'.repeat(100_000), echo: false }))
    await attempt.ask({ name: '', instruction: 'ü'.repeat(200_000), prompts })
    return { outcome: 'failure', fault: refusal('no').fault }
  }
  const { client, archive, over } = recorded({ methods: ['keyboard-interactive'], authenticate })
  const large = Buffer.alloc(250_000, 0xff)
  archive.congested = true
  client.attempt('alice', 'keyboard-interactive', new Writer(0).string('').string('').finish().subarray(1))
  await client.heard()
  const answers = new Writer(message.userauthInfoResponse).uint32(40).string(large.subarray(0, 200_000))
  for (let index = 1; index < 40; index++) answers.string(large.subarray(0, 1200))
  client.send(answers.finish())
  await client.heard()
  const key = new Writer(0).boolean(false).string('ssh-ed25519').string(large)
  client.attempt('alice', 'publickey', key.finish().subarray(1))
  await client.heard()
  client.password('alice', large)
  await client.heard()
  await client.session()
  const types = ['x'.repeat(250_000), 'y'.repeat(250_000)]
  for (const value of types) client.request({ kind: 'env', name: 'A', value })
  client.request({ kind: 'unknown', type: 'x', payload: large })
  await settle()
  archive.congested = false
  const lines = await over()
  assert.equal(lines.filter((line) => line.startsWith('setenv')).length, 2)
  assert.ok(archive.logs.flatMap(({ batches }) => batches).every(({ length }) => length <= MAX_BATCH_BYTES))
})

test('what is to be redacted is not recorded, in commands and in values of variables', async () => {
  const { client, over, programs } = recorded({}, { redact: ['--password[= ]\\S+', 'tok_\\w+'] })
  await client.login()
  await client.session()
  client.request({ kind: 'env', name: 'TOKEN', value: 'x tok_1 tok_2' })
  await client.exec('mysql --password=hunter2 -e "select 1"; curl tok_3')
  assert.deepEqual((await over()).slice(begin.length + 1, -2), [
    'setenv 0 requestId=0 name="TOKEN" value="x *** ***"',
    `exec 0 requestId=1 program=${JSON.stringify('mysql *** -e "select 1"; curl ***')}`,
  ])
  const [, exec] = programs[0]?.requests ?? []
  assert.equal(exec?.kind === 'exec' && exec.command.includes('hunter2'), true)
})

test('words of ours at a terminal are part of what the user saw', async () => {
  const { client, over, intake } = recorded()
  await client.login()
  await client.session()
  const size = { columns: 80, rows: 25, widthPixels: 0, heightPixels: 0 }
  client.request({ kind: 'pty-req', pty: { term: 'xterm', size, modes: Buffer.of(0) } })
  await client.exec()
  const drained = intake.drain(AbortSignal.timeout(10_000), 10_000)
  await settle()
  const lines = await over()
  assert.ok(
    lines.includes('io 0 stream=2 "\\r\\nThe server is shutting down: this connection ends within 10 seconds.\\r\\n"'),
    lines.join('\n'),
  )
  await drained
})

test('a log is begun for every connection, before anything is known about it, and it ends when all is gone', async () => {
  const { archive, wire, lines } = recorded()
  assert.equal(archive.logs[0]?.ticket, 7)
  assert.match(archive.logs[0]?.connectionId ?? '', /^[0-9a-f]{32}$/)
  wire.destroy()
  await settle()
  assert.deepEqual(await lines(), [
    'connect remoteAddr="192.0.2.1" country="XX"',
    'handshake_failed reason="the client disconnected"',
    'disconnect',
  ])
  assert.equal(archive.logs[0]?.closed, true)
  assert.equal(archive.recorders.waitingBytes, 0)
})
