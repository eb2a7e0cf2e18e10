import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Reader } from '../../../src/shared/webhook/fields.ts'
import { encodeJson } from '../../../src/shared/webhook/json.ts'
import {
  interactiveRequest,
  memberRequest,
  passwordRequest,
  publicKeyRequest,
} from '../../../src/shared/webhook/requests.ts'
import type { ConnectionId, Member, Peer } from '../../../src/workers/ports.ts'
import * as written from '../../../src/workers/webhook/protocol.ts'
import { testLog } from '../../workers/webhook/rig.ts'

const peer: Peer = {
  connectionId: '0123456789abcdef0123456789abcdef' as ConnectionId,
  remoteAddress: '2001:db8::1',
  remotePort: 4711,
  country: 'XX',
  clientVersion: 'SSH-2.0-OpenSSH_9.2p1',
  log: testLog().log,
}
const read = <T>(reader: Reader<T>, document: object): T => reader(JSON.parse(encodeJson(document)), '')
const nothing = { metadata: new Map(), environment: new Map(), files: new Map() }
const who = {
  username: 'alice',
  remoteAddress: '[2001:db8::1]:4711',
  connectionId: peer.connectionId,
  clientVersion: 'SSH-2.0-OpenSSH_9.2p1',
  ...nothing,
}

describe('what the daemon writes, a server reads', () => {
  const secret = Buffer.from([0xff, 0, 0x80])
  const line = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=='

  for (const legacy of [false, true]) {
    test(`with the names of fields of ${legacy ? 'both generations' : 'today'}`, () => {
      const password = written.passwordRequest(peer, 'alice', secret, legacy)
      assert.deepEqual(read(passwordRequest, password), { ...who, password: secret })
      const key = written.publicKeyRequest(peer, 'alice', line, legacy)
      assert.deepEqual(read(publicKeyRequest, key), { ...who, publicKey: line })
      const first = written.interactiveRequest(peer, 'alice', 'pam', undefined, '', legacy)
      assert.deepEqual(read(interactiveRequest, first), { ...who, submethods: 'pam', state: '', answers: undefined })
      const second = written.interactiveRequest(peer, 'alice', '', [secret], 'x', legacy)
      assert.deepEqual(read(interactiveRequest, second), { ...who, submethods: '', state: 'x', answers: [secret] })
    })
  }

  test('with what earlier webhooks said', () => {
    const member: Member = {
      username: 'alice',
      authenticatedUsername: 'alice@example.com',
      metadata: new Map([['TEAM', { value: '<blue>', sensitive: false }]]),
      environment: new Map([['LANG', { value: 'C', sensitive: true }]]),
      files: new Map([['/etc/motd', { value: secret, sensitive: false }]]),
    }
    const { metadata, environment, files, authenticatedUsername } = member
    assert.deepEqual(read(memberRequest, written.authorizationRequest(peer, member, true)), {
      ...who,
      ...{ metadata, environment, files, authenticatedUsername },
    })
  })
})

test('versions before 0.5 are understood', () => {
  const old = { username: 'alice', remoteAddr: '192.0.2.1', sessionId: 'cafe', connectionId: 'cafe' }
  assert.partialDeepStrictEqual(memberRequest(old, ''), { remoteAddress: '192.0.2.1', connectionId: 'cafe' })
  const older = { user: 'alice', sessionId: 'cafe', publicKeyBase64: 'AAAAC3NzaC1lZDI1NTE5AAAAIA==' }
  assert.deepEqual(publicKeyRequest(older, ''), {
    ...{ username: 'alice', remoteAddress: '', connectionId: 'cafe', clientVersion: '', ...nothing },
    publicKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==',
  })
})

test('what a server does not know, it passes over; what is null is absent', () => {
  const document = { USERNAME: 'alice', user: null, passwordBase64: '', future: { a: 1 } }
  assert.equal(passwordRequest(document, '').username, 'alice')
})

describe('a request that lacks something is refused by the name of the place', () => {
  const wrong: readonly (readonly [reader: Reader<unknown>, document: unknown, message: RegExp])[] = [
    [passwordRequest, null, /username or user is missing/],
    [passwordRequest, [], /it is not an object/],
    [passwordRequest, { username: 'a' }, /passwordBase64 is missing/],
    [passwordRequest, { username: 'a', passwordBase64: 'eA=' }, /passwordBase64 is not base64/],
    [passwordRequest, { username: 5, passwordBase64: '' }, /username is not a text/],
    [publicKeyRequest, { username: 'a' }, /publicKey or publicKeyBase64 is missing/],
    [interactiveRequest, { username: 'a', answersBase64: ['eA==', 1] }, /answersBase64\[1\] is not a text/],
    [memberRequest, { username: 'a', environment: { 'A=B': null } }, /is not the name of a variable/],
  ]
  for (const [reader, document, message] of wrong) {
    test(JSON.stringify(document), () => assert.throws(() => reader(document, ''), message))
  }
})

test('the pattern of base64 in the documentation admits exactly what the reader reads', () => {
  const { properties } = passwordRequest.schema as { properties: { passwordBase64: { pattern: string } } }
  const pattern = new RegExp(properties.passwordBase64.pattern)
  const digits = fc.string({ unit: fc.constantFrom(...'AQgwEZ9/+=\n\r*'), maxLength: 12 })
  const bytes = fc.uint8Array().map((found) => Buffer.from(found).toString('base64'))
  fc.assert(
    fc.property(fc.oneof(digits, bytes), (passwordBase64) => {
      let reads = true
      try {
        passwordRequest({ username: 'a', passwordBase64 }, '')
      } catch {
        reads = false
      }
      assert.equal(pattern.test(passwordBase64), reads)
    }),
    { numRuns: 2000 },
  )
})
