import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { encodeJson } from '../../../src/shared/webhook/json.ts'
import type { ConnectionId, Member, Peer } from '../../../src/workers/ports.ts'
import { publicKeyBlob } from '../../../src/workers/ssh/public-key.ts'
import {
  authorizationRequest,
  interactiveRequest,
  keyLine,
  passwordRequest,
  publicKeyRequest,
} from '../../../src/workers/webhook/protocol.ts'
import { testLog } from './rig.ts'

const peer: Peer = {
  connectionId: '0123456789abcdef0123456789abcdef' as ConnectionId,
  remoteAddress: '127.0.0.1',
  remotePort: 4711,
  country: 'XX',
  clientVersion: 'SSH-2.0-OpenSSH_9.2p1 Debian-2',
  log: testLog().log,
}
const member: Member = {
  username: 'alice',
  authenticatedUsername: 'alice@example.com',
  metadata: new Map([
    ['b', { value: '2', sensitive: false }],
    ['TOKEN', { value: 'topsecret', sensitive: true }],
    ['a', { value: '<1>', sensitive: false }],
  ]),
  environment: new Map([['PASSWORD', { value: 'topsecret', sensitive: true }]]),
  files: new Map([['/etc/motd', { value: Buffer.from('hi'), sensitive: false }]]),
}
const start = '{"remoteAddress":"127.0.0.1:4711","connectionId":"0123456789abcdef0123456789abcdef",'
const who = '"clientVersion":"SSH-2.0-OpenSSH_9.2p1 Debian-2","username":"alice"'

describe('requests', () => {
  test('a password is sent as base64 of its bytes, in the order of the Go program', () => {
    const document = encodeJson(passwordRequest(peer, 'alice', Buffer.from([0xff, 0]), false))
    assert.equal(document, `${start}${who},"passwordBase64":"/wA="}\n`)
  })

  test('a key is sent as the line that OpenSSH writes, for RSA with the type and not the algorithm of the signature', () => {
    const { blob } = publicKeyBlob(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)
    const line = keyLine(blob)
    assert.equal(line, `ssh-rsa ${blob.toString('base64')}`)
    assert.equal(encodeJson(publicKeyRequest(peer, 'alice', line, false)), `${start}${who},"publicKey":"${line}"}\n`)
  })

  test('on request, the names of fields from before 0.5 are sent too', () => {
    const password = { ...passwordRequest(peer, 'alice', Buffer.from('x'), true) }
    assert.partialDeepStrictEqual(password, { user: 'alice', sessionId: peer.connectionId, username: 'alice' })
    const key = { ...publicKeyRequest(peer, 'alice', 'ssh-ed25519 AAAA', true) }
    assert.partialDeepStrictEqual(key, { publicKeyBase64: 'AAAA', publicKey: 'ssh-ed25519 AAAA', user: 'alice' })
  })

  test('IPv6 addresses stand in brackets', () => {
    assert.match(
      JSON.stringify(passwordRequest({ ...peer, remoteAddress: '::1' }, 'a', Buffer.alloc(0), false)),
      /"\[::1\]:4711"/,
    )
  })

  test('the authorization request has what authentication added, without what is sensitive', () => {
    assert.equal(
      encodeJson(authorizationRequest(peer, member, false)),
      `${start}"metadata":{"a":{"value":"\\u003c1\\u003e","sensitive":false},"b":{"value":"2","sensitive":false}},` +
        `"files":{"/etc/motd":{"value":"aGk=","sensitive":false}},${who},"authenticatedUsername":"alice@example.com"}\n`,
    )
    const all = JSON.parse(encodeJson(authorizationRequest(peer, member, true)))
    assert.equal(all.metadata.TOKEN.value, 'topsecret')
    assert.deepEqual(all.environment, { PASSWORD: { value: 'topsecret', sensitive: true } })
  })

  test('keyboard-interactive begins without answers, and gives back the state with them', () => {
    assert.equal(encodeJson(interactiveRequest(peer, 'alice', '', undefined, '', false)), `${start}${who}}\n`)
    assert.equal(
      encodeJson(interactiveRequest(peer, 'alice', 'pam', [Buffer.from('1'), Buffer.alloc(0)], 's', false)),
      `${start}${who},"submethods":"pam","state":"s","answersBase64":["MQ==",""]}\n`,
    )
  })
})
