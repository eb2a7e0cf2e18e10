import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import type { User } from '../../../src/shared/config/index.ts'
import { defaults } from '../../../src/shared/config/schema.ts'
import { createLog, type LogRecord } from '../../../src/shared/log.ts'
import { processCounters } from '../../../src/shared/metric.ts'
import { hashPassword } from '../../../src/shared/password.ts'
import { connectionOf } from '../../../src/workers/layers/index.ts'
import { limits } from '../../../src/workers/layers/limits.ts'
import { createUsers } from '../../../src/workers/layers/users.ts'
import type { Connection, ConnectionId, Peer } from '../../../src/workers/ports.ts'
import { publicKeyBlob } from '../../../src/workers/ssh/public-key.ts'
import { createRoom } from '../../rigs/room.ts'

const { blob } = publicKeyBlob(generateKeyPairSync('ed25519').publicKey)
const stranger = publicKeyBlob(generateKeyPairSync('ed25519').publicKey).blob
const line = `ssh-ed25519 ${blob.toString('base64')} alice@home`
const none = new Map<string, never>()
const silent = createLog({ level: 'debug', write: () => undefined })
const never = new AbortController().signal
const key = (bytes: Buffer, signed: boolean) => ({
  method: 'publickey' as const,
  algorithm: 'ssh-ed25519',
  blob: bytes,
  signed,
})
const password = (text: string) => ({ method: 'password' as const, password: Buffer.from(text) })

function open(users: readonly User[]) {
  const records: LogRecord[] = []
  const log = createLog({ level: 'debug', labels: { module: 'ssh' }, write: (record) => records.push(record) })
  const connectionId = '0'.repeat(32) as ConnectionId
  const peer: Peer = { connectionId, remoteAddress: '192.0.2.1', remotePort: 1, country: 'XX', clientVersion: '', log }
  const room = createRoom()
  const { security } = defaults()
  const connection = connectionOf(peer, { users: createUsers({ users }, log), roomOf: () => room, security })
  return { connection, records, room, codes: () => records.map((record) => record.code) }
}

test('an authorized key lets its owner in, and nobody else', async () => {
  const { connection, records } = open([{ name: 'alice', authorizedKeys: [line] }])
  const verdict = await connection.authenticate('alice', key(blob, true), never)
  assert.ok(verdict.outcome === 'success')
  assert.equal(verdict.member.authenticatedUsername, 'alice')
  assert.deepEqual(records[0]?.labels, { module: 'auth', username: 'alice', authtype: 'pubkey' })
  assert.equal((await connection.authenticate('alice', key(stranger, true), never)).outcome, 'failure')
  assert.equal((await connection.authenticate('bob', key(blob, true), never)).outcome, 'failure')
})

test('a key that would do is no login: AUTH_SUCCESSFUL waits for the signature', async () => {
  const { connection, codes } = open([{ name: 'alice', authorizedKeys: [line] }])
  assert.equal((await connection.authenticate('alice', key(blob, false), never)).outcome, 'success')
  assert.deepEqual(codes(), [])
})

test('what is decided about the users of the configuration is counted; a key that is only asked about counts when it is refused', async () => {
  const passwordHash = await hashPassword(Buffer.from('secret'))
  const { connection } = open([{ name: 'alice', passwordHash, authorizedKeys: [line] }])
  processCounters.take()
  await connection.authenticate('alice', { method: 'none' }, never)
  await connection.authenticate('alice', key(stranger, false), never)
  await connection.authenticate('alice', key(blob, false), never)
  await connection.authenticate('alice', key(blob, true), never)
  await connection.authenticate('alice', password('wrong'), never)
  await connection.authenticate('nobody', password('secret'), never)
  await connection.authenticate('alice', password('secret'), never)
  const counted = processCounters.take().map(([name, values, by]) => [name, ...values, by].join(' '))
  assert.deepEqual(counted.sort(), [
    'containerssh_auth_failures_total password 0 XX 2',
    'containerssh_auth_failures_total pubkey 0 XX 1',
    'containerssh_auth_success_total password 0 XX 1',
    'containerssh_auth_success_total pubkey 0 XX 1',
  ])
})

test('a password lets its owner in; a wrong one, and one of nobody, are the same failure', async () => {
  const passwordHash = await hashPassword(Buffer.from('secret'))
  const { connection, codes } = open([{ name: 'alice', passwordHash, authorizedKeys: [] }])
  assert.equal((await connection.authenticate('alice', password('secret'), never)).outcome, 'success')
  const wrong = await connection.authenticate('alice', password('Secret'), never)
  const nobody = await connection.authenticate('bob', password('secret'), never)
  assert.ok(wrong.outcome === 'failure' && nobody.outcome === 'failure')
  assert.equal(wrong.fault.code, nobody.fault.code)
  assert.deepEqual(codes(), ['AUTH_SUCCESSFUL', 'AUTH_FAILED', 'AUTH_FAILED'])
})

test('only methods that somebody can use are offered; the others are unavailable', async () => {
  const keys = open([{ name: 'alice', authorizedKeys: [line] }])
  assert.deepEqual(keys.connection.methods, ['publickey'])
  const verdict = await keys.connection.authenticate('alice', password('x'), never)
  assert.ok(verdict.outcome === 'unavailable')
  assert.equal(verdict.fault.code, 'AUTH_DISABLED')
  assert.deepEqual(open([]).connection.methods, [])
})

test('none lets nobody in', async () => {
  const { connection } = open([{ name: 'alice', authorizedKeys: [line] }])
  assert.notEqual((await connection.authenticate('alice', { method: 'none' }, never)).outcome, 'success')
})

test('a key that cannot be used is left out with a warning, never read without its restrictions', async () => {
  const { connection, records } = open([{ name: 'alice', authorizedKeys: [`unheard-of="x" ${line}`, 'ssh-dss AAAA'] }])
  assert.deepEqual(
    records.map((record) => [record.code, record.level]),
    [
      ['AUTH_KEY_UNUSABLE', 'warning'],
      ['AUTH_KEY_UNUSABLE', 'warning'],
    ],
  )
  assert.notEqual((await connection.authenticate('alice', key(blob, true), never)).outcome, 'success')
})

test('every port is a plain record, so that a layer can spread it', async () => {
  const { connection } = open([{ name: 'alice', authorizedKeys: [line] }])
  const verdict = await connection.authenticate('alice', key(blob, true), never)
  assert.ok(verdict.outcome === 'success')
  const session = await connection.enter(verdict.member, never)
  assert.ok(session.accepted)
  const channel = await session.value.open(0 as Parameters<typeof session.value.open>[0], () => undefined)
  assert.ok(channel.accepted)
  for (const port of [connection, session.value, channel.value]) {
    assert.equal(Object.getPrototypeOf(port), Object.prototype)
  }
})

test('too many passwords at once are refused as unavailable, not as wrong', async () => {
  const passwordHash = await hashPassword(Buffer.from('secret'))
  const { connection, codes } = open([{ name: 'alice', passwordHash, authorizedKeys: [] }])
  const aborted = AbortSignal.abort()
  const verdicts = await Promise.all(
    Array.from({ length: 6 }, () => connection.authenticate('alice', password('guess'), aborted)),
  )
  assert.ok(verdicts.some((verdict) => verdict.outcome === 'unavailable'))
  assert.ok(codes().includes('AUTH_BUSY'))
})

test('the session of a user has the limits that are set for him, and one that nothing is set for has none', async () => {
  const own = { idleTimeout: 5000, warningText: 'bye' }
  const { connection } = open([
    { name: 'alice', authorizedKeys: [line], limits: own },
    { name: 'bob', authorizedKeys: [line] },
  ])
  for (const [name, expected] of [
    ['alice', own],
    ['bob', undefined],
  ] as const) {
    const verdict = await connection.authenticate(name, key(blob, true), never)
    assert.ok(verdict.outcome === 'success')
    const session = await connection.enter(verdict.member, never)
    assert.ok(session.accepted)
    assert.deepEqual(session.value.limits, expected)
    await session.value[Symbol.asyncDispose]()
  }
})

test('limits that a layer inside has found go before those of the user', async () => {
  const users = createUsers(
    { users: [{ name: 'alice', authorizedKeys: [], limits: { idleTimeout: 5000, grace: 1 } }] },
    silent,
  )
  const { connection } = open([])
  const inner: Connection = {
    ...connection,
    async enter(member, signal) {
      const verdict = await connection.enter(member, signal)
      return verdict.accepted ? { accepted: true, value: { ...verdict.value, limits: { idleTimeout: 7000 } } } : verdict
    },
  }
  const member = { username: 'alice', authenticatedUsername: 'a', metadata: none, environment: none, files: none }
  const session = await limits(users)(inner).enter(member, never)
  assert.ok(session.accepted)
  assert.deepEqual(session.value.limits, { idleTimeout: 7000, grace: 1 })
})
