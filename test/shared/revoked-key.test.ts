import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { parseRevokedKey } from '../../src/shared/revoked-key.ts'
import { fingerprint, publicKeyBlob } from '../../src/workers/ssh/public-key.ts'

const { blob } = publicKeyBlob(generateKeyPairSync('ed25519').publicKey)
const print = fingerprint(blob)

test('a key is revoked by its line or by its fingerprint, padded or not', () => {
  const key = { kind: 'key', fingerprint: print }
  for (const entry of [`ssh-ed25519 ${blob.toString('base64')} gone`, print, ` ${print}=`]) {
    assert.deepEqual(parseRevokedKey(entry), key)
  }
})

test('certificates are revoked by their CA and a number, or a range of numbers', () => {
  const one = parseRevokedKey(`serial:${print}:7`)
  assert.deepEqual(one, { kind: 'serial', authority: print, first: 7n, last: 7n })
  const many = parseRevokedKey(`serial:${print}:10-18446744073709551615`)
  assert.deepEqual(many, { kind: 'serial', authority: print, first: 10n, last: 2n ** 64n - 1n })
})

for (const entry of [
  'SHA256:short',
  'MD5:aa:bb',
  `serial:${print}`,
  `serial:${print}:-1`,
  `serial:${print}:9-8`,
  `serial:${print}:18446744073709551616`,
  'serial:7',
  '',
]) {
  test(`${JSON.stringify(entry)} is refused with what was expected`, () =>
    assert.throws(() => parseRevokedKey(entry), /expected/))
}
