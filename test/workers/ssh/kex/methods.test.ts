import assert from 'node:assert/strict'
import {
  createDiffieHellmanGroup,
  createECDH,
  createHash,
  createPublicKey,
  decapsulate,
  diffieHellman,
  generateKeyPairSync,
} from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { base64url, sshMpint, sshString } from '../../../../src/workers/ssh/blob.ts'
import { type KexResult, kexMethods } from '../../../../src/workers/ssh/kex/methods.ts'

function respond(name: string, clientValue: Uint8Array): KexResult {
  const method = kexMethods[name]
  assert.ok(method, name)
  return method.respond(clientValue)
}

/** The client's half of X25519. */
function x25519(): { publicValue: Buffer; secret(theirs: Uint8Array): Buffer } {
  const { privateKey, publicKey } = generateKeyPairSync('x25519')
  return {
    publicValue: Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'),
    secret: (theirs) => {
      const key = { kty: 'OKP', crv: 'X25519', x: base64url(theirs) }
      return diffieHellman({ privateKey, publicKey: createPublicKey({ key, format: 'jwk' }) })
    },
  }
}

test('curve25519: both sides have the same secret, as an mpint', () => {
  for (let count = 0; count < 50; count++) {
    const client = x25519()
    const { answer, secret } = respond('curve25519-sha256', client.publicValue)
    assert.deepEqual(Buffer.from(secret), sshMpint(client.secret(answer)))
  }
})

test('ecdh: both sides have the same secret on each curve', () => {
  for (const [name, curve] of [
    ['nistp256', 'prime256v1'],
    ['nistp384', 'secp384r1'],
    ['nistp521', 'secp521r1'],
  ] as const) {
    const client = createECDH(curve)
    const { answer, secret } = respond(`ecdh-sha2-${name}`, client.generateKeys())
    assert.deepEqual(Buffer.from(secret), sshMpint(client.computeSecret(answer)))
  }
})

test('diffie-hellman: both sides have the same secret in each group', () => {
  for (const [name, group] of [
    ['group14-sha256', 'modp14'],
    ['group16-sha512', 'modp16'],
    ['group1-sha1', 'modp2'],
  ] as const) {
    const client = createDiffieHellmanGroup(group)
    const { answer, secret } = respond(`diffie-hellman-${name}`, sshMpint(client.generateKeys()).subarray(4))
    assert.deepEqual(Buffer.from(secret), sshMpint(client.computeSecret(answer)))
  }
})

test('mlkem768x25519: both sides have the hash of both secrets, as a string', () => {
  const kem = generateKeyPairSync('ml-kem-768')
  const client = x25519()
  const kemValue = Buffer.from(String(kem.publicKey.export({ format: 'jwk' })['pub']), 'base64url')
  const { answer, secret } = respond('mlkem768x25519-sha256', Buffer.concat([kemValue, client.publicValue]))
  assert.equal(answer.length, 1088 + 32)
  const shared = decapsulate(kem.privateKey, answer.subarray(0, 1088))
  const expected = createHash('sha256')
    .update(shared)
    .update(client.secret(answer.subarray(1088)))
    .digest()
  assert.deepEqual(Buffer.from(secret), sshString(expected))
})

const unusable: readonly (readonly [name: string, method: string, value: Uint8Array])[] = [
  ['X25519 of small order', 'curve25519-sha256', Buffer.alloc(32)],
  [
    'X25519 of order 8',
    'curve25519-sha256',
    Buffer.from('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'hex'),
  ],
  ['X25519 too short', 'curve25519-sha256', Buffer.alloc(31, 9)],
  ['a point beside the curve', 'ecdh-sha2-nistp256', Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)])],
  ['a compressed point', 'ecdh-sha2-nistp256', compressedPoint()],
  ['the point at infinity', 'ecdh-sha2-nistp384', Buffer.of(0)],
  ['a public value of 1', 'diffie-hellman-group14-sha256', Buffer.of(1)],
  ['a public value of 0', 'diffie-hellman-group14-sha256', Buffer.of()],
  ['a negative public value', 'diffie-hellman-group14-sha256', Buffer.alloc(256, 0xff)],
  ['a public value of p - 1', 'diffie-hellman-group14-sha256', pMinusOne()],
  [
    'an ML-KEM key out of range',
    'mlkem768x25519-sha256',
    Buffer.concat([Buffer.alloc(1184, 0xff), x25519().publicValue]),
  ],
  ['a hybrid value cut short', 'mlkem768x25519-sha256', Buffer.alloc(1184, 1)],
]
for (const [name, method, value] of unusable) {
  test(`${name} is refused`, () => assert.throws(() => respond(method, value)))
}

function compressedPoint(): Buffer {
  const client = createECDH('prime256v1')
  client.generateKeys()
  return Buffer.from(client.getPublicKey('hex', 'compressed'), 'hex')
}

function pMinusOne(): Buffer {
  const prime = createDiffieHellmanGroup('modp14').getPrime()
  prime.writeUInt8((prime.at(-1) ?? 1) - 1, prime.length - 1)
  return sshMpint(prime).subarray(4)
}

test('any bytes give a result or an Error with every method', () => {
  const names = Object.keys(kexMethods).filter((name) => !/group1[68]/.test(name))
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.uint8Array({ maxLength: 1300 }), (name, value) => {
      try {
        assert.ok(respond(name, value).secret.length > 4)
      } catch (error) {
        assert.ok(error instanceof Error)
      }
    }),
  )
})
