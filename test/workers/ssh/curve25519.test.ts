import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Curve25519,
  curve25519,
  type Ed25519Key,
  whyNotLibsodium,
} from '../../../src/workers/ssh/curve25519/index.ts'
import { openssl } from '../../../src/workers/ssh/curve25519/openssl.ts'
import { openLibsodium } from '../../../src/workers/ssh/curve25519/sodium.ts'

const require = createRequire(import.meta.url)
const libsodium = openLibsodium(require)
const libraries: readonly (readonly [name: string, library: Curve25519])[] = [
  ['libsodium', libsodium],
  ['OpenSSL', openssl],
]

function ed25519() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const point = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
  const key: Ed25519Key = { key: publicKey, point }
  return { privateKey, key }
}

/** RFC 7748 section 5: y² = x³ + 486662x² + x has these of small order, the last two not in their shortest form. */
const smallOrder = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((hex) => Buffer.from(hex, 'hex'))

test('what is tested here is what serves here', () => {
  assert.equal(whyNotLibsodium(), undefined)
  assert.notEqual(curve25519(), openssl)
})

for (const [name, library] of libraries) {
  test(`${name}: each agreement has a public value and a secret of its own`, () => {
    const client = openssl.agree(Buffer.of(9, ...Buffer.alloc(31))).answer
    const all = Array.from({ length: 100 }, () => library.agree(client))
    assert.equal(
      new Set(all.flatMap(({ answer, secret }) => [answer.toString('hex'), secret.toString('hex')])).size,
      200,
    )
  })

  test(`${name}: a client's value of small order is refused`, () => {
    for (const value of smallOrder) assert.throws(() => library.agree(value), value.toString('hex'))
  })

  test(`${name}: a signature is OpenSSL's, and only over its own data by its own key`, () => {
    const [mine, other] = [ed25519(), ed25519()]
    const signer = library.signer(mine.privateKey)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.nat(511), (data, bit) => {
        const signature = signer(data)
        assert.deepEqual(signature, sign(null, data, mine.privateKey))
        assert.ok(library.verify(mine.key, data, signature))
        assert.ok(!library.verify(other.key, data, signature))
        assert.ok(!library.verify(mine.key, Buffer.concat([data, Buffer.of(0)]), signature))
        const bent = Buffer.from(signature)
        bent[bit >> 3] = (bent[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        assert.ok(!library.verify(mine.key, data, bent), `bit ${bit}`)
      }),
    )
  })

  test(`${name}: a signature of another length is none`, () => {
    const { privateKey, key } = ed25519()
    const data = Buffer.from('data')
    const signature = sign(null, data, privateKey)
    for (const length of [0, 1, 32, 63]) assert.ok(!library.verify(key, data, signature.subarray(0, length)))
    assert.ok(!library.verify(key, data, Buffer.concat([signature, Buffer.of(0)])))
  })

  test(`${name}: data and signatures may lie anywhere in memory`, () => {
    const { privateKey, key } = ed25519()
    const page = Buffer.alloc(4096, 7)
    const data = page.subarray(13, 1013)
    const signature = page.subarray(2001, 2065)
    signature.set(library.signer(privateKey)(data))
    assert.ok(library.verify(key, data, signature))
    page[13] = 8
    assert.ok(!library.verify(key, data, signature))
  })
}

test('a public value is what the base point makes of the key', () => {
  const base = Buffer.of(9, ...Buffer.alloc(31))
  for (const [name, library] of libraries) {
    const { answer, secret } = library.agree(base)
    assert.deepEqual(secret, answer, name)
  }
})

test('libsodium: memory of another size is not given to functions that do not look', () => {
  for (const length of [0, 31, 33, 64]) assert.throws(() => libsodium.agree(Buffer.alloc(length, 9)), /32 bytes/)
  const { privateKey, key } = ed25519()
  const data = Buffer.from('data')
  const signature = libsodium.signer(privateKey)(data)
  assert.throws(() => libsodium.verify({ ...key, point: key.point.subarray(1) }, data, signature), /32 bytes/)
})

test('a libsodium that is not there, or is wrong, is not used', () => {
  const missing = (): never => {
    throw new Error('no such file')
  }
  assert.throws(() => openLibsodium(missing), /no such file/)
  const real = require(`sodium-native/prebuilds/${process.platform}-${process.arch}/sodium-native.node`)
  const bent: readonly (readonly [string, object, RegExp])[] = [
    ['crypto_scalarmult', { crypto_scalarmult: () => 0 }, /RFC 7748/],
    ['crypto_scalarmult_base', { crypto_scalarmult_base: () => 0 }, /base point/],
    ['crypto_sign_detached', { crypto_sign_detached: () => 0 }, /RFC 8032/],
    ['a verifier that likes everything', { crypto_sign_verify_detached: () => true }, /RFC 8032/],
    ['a verifier that likes nothing', { crypto_sign_verify_detached: () => false }, /RFC 8032/],
    ['a function less', { crypto_sign_detached: undefined }, /not a function/],
  ]
  for (const [what, change, expected] of bent) {
    assert.throws(() => openLibsodium(() => ({ ...real, ...change })), expected, what)
  }
})
