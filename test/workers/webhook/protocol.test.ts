import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { ConnectionId, Member, Peer } from '../../../src/workers/ports.ts'
import { publicKeyBlob } from '../../../src/workers/ssh/public-key.ts'
import { encodeJson, firstJsonValue } from '../../../src/workers/webhook/json.ts'
import {
  authorizationRequest,
  decodeAnswer,
  decodeInteractive,
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

describe('answers', () => {
  test('everything that an answer may have is read, names of properties in any case', () => {
    const answer = decodeAnswer({
      SUCCESS: true,
      authenticatedusername: 'al',
      metadata: { A: { Value: '1', sensitive: true }, B: {}, C: null },
      environment: { X: { value: 'y' } },
      files: { '/a': { value: 'aGk=' }, '/b': { value: [104, 105], sensitive: true } },
      username: 'alice',
      connectionId: 'x',
      remoteAddress: '[::1]:22',
      clientVersion: '',
    })
    assert.equal(answer.success, true)
    assert.equal(answer.authenticatedUsername, 'al')
    const plain = { value: '', sensitive: false }
    assert.deepEqual(
      [...answer.metadata],
      [
        ['A', { value: '1', sensitive: true }],
        ['B', plain],
        ['C', plain],
      ],
    )
    assert.deepEqual([...answer.environment], [['X', { value: 'y', sensitive: false }]])
    assert.deepEqual(
      [...answer.files].map(([path, { value }]) => [path, Buffer.from(value).toString()]),
      [
        ['/a', 'hi'],
        ['/b', 'hi'],
      ],
    )
  })

  test('null is absence, and absence of success is none', () => {
    for (const value of [{}, null, { success: null, metadata: null }]) {
      assert.equal(decodeAnswer(value).success, false)
      assert.equal(decodeAnswer(value).metadata.size, 0)
    }
  })

  const wrong: readonly (readonly [value: unknown, message: RegExp])[] = [
    [[], /it is not an object/],
    ['yes', /it is not an object/],
    [{ success: 'true' }, /success is not true or false/],
    [{ success: true, extra: 1 }, /"extra" is not a known property/],
    [{ metadata: { A: '1' } }, /metadata\["A"\] is not an object/],
    [{ metadata: { A: { value: 1 } } }, /metadata\["A"\]\.value is not a text/],
    [{ metadata: { A: { valeu: 'x' } } }, /"metadata\[\\"A\\"\]\.valeu" is not a known property/],
    [{ environment: { 'A=B': { value: '' } } }, /is not the name of a variable/],
    [{ files: { relative: { value: '' } } }, /is not an absolute path/],
    [{ files: { '/x': { value: 'a*b=' } } }, /files\["\/x"\]\.value is not base64/],
    [{ files: { '/x': { value: [256] } } }, /is not a list of bytes/],
    [{ remoteAddress: 'home' }, /remoteAddress is not ip:port/],
    [{ challenge: {} }, /"challenge" is not a known property/],
  ]
  for (const [value, message] of wrong) {
    test(`${JSON.stringify(value)} is refused by the name of the place`, () => {
      assert.throws(() => decodeAnswer(value), message)
    })
  }

  test('a challenge has bounds, and excludes success', () => {
    const challenge = {
      instruction: 'Code?',
      prompts: [{ text: 'Code: ' }, { text: 'Name: ', echo: true }],
      state: 's',
    }
    assert.deepEqual(decodeInteractive({ success: false, challenge }), {
      name: '',
      instruction: 'Code?',
      state: 's',
      prompts: [
        { text: 'Code: ', echo: false },
        { text: 'Name: ', echo: true },
      ],
    })
    assert.ok('success' in decodeInteractive({ success: true }))
    assert.throws(() => decodeInteractive({ success: true, challenge }), /exclude each other/)
    const prompts = Array.from({ length: 17 }, () => ({}))
    assert.throws(() => decodeInteractive({ challenge: { prompts } }), /challenge\.prompts has more than 16 entries/)
    assert.throws(() => decodeInteractive({ challenge: { state: 'x'.repeat(4097) } }), /state has more than 4096/)
  })

  test('whatever a server sends is an answer or an error that is not longer than a line of a log', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        for (const decode of [decodeAnswer, decodeInteractive]) {
          try {
            decode(value)
          } catch (error) {
            assert.ok(error instanceof Error && error.constructor === Error, String(error))
            assert.ok(error.message.length < 300, error.message)
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('JSON', () => {
  test('the first value counts, what follows an object is ignored', () => {
    assert.deepEqual(firstJsonValue('{"a":"}\\"{"} {"b":1}'), { a: '}"{' })
    assert.deepEqual(firstJsonValue(' {"a":[{}]}garbage'), { a: [{}] })
    assert.equal(firstJsonValue('null'), null)
  })

  test('errors say nothing of the text', () => {
    for (const source of ['', '  ', 'topsecret', '{"a":topsecret}', '{"topsecret"', '{topsecret}{}']) {
      assert.throws(
        () => firstJsonValue(source),
        (error: Error) => !error.message.includes('topsecret'),
      )
    }
  })

  test('what it finds is what JSON.parse finds, whatever follows', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (value, more) => {
        assert.deepEqual(firstJsonValue(JSON.stringify(value) + more), JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})
