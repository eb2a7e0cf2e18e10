import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { sshString } from '../../../src/workers/ssh/blob.ts'
import { parseHostKey } from '../../../src/workers/ssh/host-key.ts'
import { parsePublicKeyBlob, signatureAlgorithms } from '../../../src/workers/ssh/public-key.ts'
import { parseAuthorizedKey } from '../../../src/workers/ssh/user-key.ts'
import { securityKey, verifyUserSignature } from './signing.ts'

const folder = mkdtempSync(join(tmpdir(), 'user-key-'))
after(() => rmSync(folder, { recursive: true }))
const data = Buffer.from('session id and request')

/** One signature per algorithm, by a fresh key. */
interface Proof {
  readonly algorithm: string
  readonly blob: Buffer
  readonly signature: Buffer
}
function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
function plain(key: KeyObject, algorithm: string): Proof {
  const host = parseHostKey(pem(key))
  return {
    algorithm,
    blob: host.blob,
    signature: Buffer.concat([sshString(algorithm), sshString(host.sign(algorithm, data))]),
  }
}
function touched(kind: 'ed25519' | 'ecdsa', flags: number): Proof {
  const key = securityKey(kind)
  return { algorithm: key.algorithm, blob: key.blob, signature: key.sign(data, flags) }
}
const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey
const rsaKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const proofs: readonly Proof[] = [
  plain(generateKeyPairSync('ed25519').privateKey, 'ssh-ed25519'),
  plain(ec('P-256'), 'ecdsa-sha2-nistp256'),
  plain(ec('P-384'), 'ecdsa-sha2-nistp384'),
  plain(ec('P-521'), 'ecdsa-sha2-nistp521'),
  plain(rsaKey, 'rsa-sha2-512'),
  plain(rsaKey, 'rsa-sha2-256'),
  touched('ed25519', 0x01),
  touched('ecdsa', 0x05),
]

test('every algorithm that the server announces is verified, and no other', () => {
  assert.deepEqual([...signatureAlgorithms].sort(), proofs.map((proof) => proof.algorithm).sort())
})

for (const { algorithm, blob, signature } of proofs) {
  test(`a good ${algorithm} signature is accepted, and only over its own data`, () => {
    assert.equal(verifyUserSignature(algorithm, blob, data, signature), true)
    assert.equal(verifyUserSignature(algorithm, blob, Buffer.from('other'), signature), false)
  })

  test(`a ${algorithm} signature with any one byte changed, cut short or made longer is refused`, () => {
    fc.assert(
      fc.property(fc.nat(signature.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(signature)
        changed.writeUInt8((changed[at] ?? 0) ^ flip, at)
        assert.equal(verifyUserSignature(algorithm, blob, data, changed), false)
        assert.equal(verifyUserSignature(algorithm, blob, data, signature.subarray(0, at)), false)
        assert.equal(verifyUserSignature(algorithm, blob, data, Buffer.concat([signature, Buffer.of(flip)])), false)
      }),
      { numRuns: 200 },
    )
  })

  test(`a ${algorithm} key with one byte changed, cut short or made longer never verifies and never throws out of verification`, () => {
    fc.assert(
      fc.property(fc.nat(blob.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(blob)
        changed.writeUInt8((changed[at] ?? 0) ^ flip, at)
        assert.equal(verifyUserSignature(algorithm, changed, data, signature), false)
        assert.equal(verifyUserSignature(algorithm, blob.subarray(0, at), data, signature), false)
        assert.equal(verifyUserSignature(algorithm, Buffer.concat([blob, Buffer.of(flip)]), data, signature), false)
      }),
      { numRuns: 200 },
    )
  })
}

test('a signature is refused when its own algorithm name differs from the announced one', () => {
  const [, , , , sha512, sha256] = proofs
  assert.ok(sha512 && sha256)
  assert.equal(verifyUserSignature('rsa-sha2-256', sha512.blob, data, sha512.signature), false)
  assert.equal(verifyUserSignature('rsa-sha2-512', sha256.blob, data, sha256.signature), false)
})

test('SHA-1 signatures of RSA keys are refused', () => {
  const { blob } = parseHostKey(pem(rsaKey))
  const signature = Buffer.concat([sshString('ssh-rsa'), sshString(sign('sha1', data, rsaKey))])
  assert.equal(verifyUserSignature('ssh-rsa', blob, data, signature), false)
})

test('a security key signature without the touch of a user is refused', () => {
  for (const kind of ['ed25519', 'ecdsa'] as const) {
    const { algorithm, blob, signature } = touched(kind, 0x04)
    assert.equal(verifyUserSignature(algorithm, blob, data, signature), false)
  }
})

test('an RSA signature that lost its leading zeros is accepted', () => {
  const host = parseHostKey(pem(rsaKey))
  for (let count = 0; ; count++) {
    const message = Buffer.from(`message ${count}`)
    const full = host.sign('rsa-sha2-256', message)
    if (full[0] !== 0) continue
    const signature = Buffer.concat([sshString('rsa-sha2-256'), sshString(full.subarray(1))])
    assert.equal(verifyUserSignature('rsa-sha2-256', host.blob, message, signature), true)
    return
  }
})

test('the lines that ssh-keygen writes are read with type and comment', () => {
  for (const type of ['ed25519', 'ecdsa', 'rsa']) {
    const path = join(folder, type)
    execFileSync('ssh-keygen', ['-q', '-N', '', '-C', 'anna@example.org laptop', '-t', type, '-f', path])
    const key = parseAuthorizedKey(readFileSync(`${path}.pub`, 'utf8'))
    assert.equal(key.comment, 'anna@example.org laptop')
    assert.ok(key.type.includes(type))
  }
})

const good = parseHostKey(pem(generateKeyPairSync('ed25519').privateKey)).blob.toString('base64')
const lines: readonly (readonly [name: string, line: string, message: RegExp])[] = [
  ['an empty line', '', /is not a public key; expected e\.g\./],
  ['a line with an unknown option', `foo="true" ssh-ed25519 ${good}`, /unknown option foo/],
  ['a line whose type differs from the key', `ssh-rsa ${good}`, /is not a whole ssh-rsa key/],
  ['a line with a damaged key', `ssh-ed25519 ${good.slice(0, -8)}`, /truncated/],
  ['a DSA key', `ssh-dss ${sshString('ssh-dss').toString('base64')}`, /is not a public key; expected .*ssh-ed25519/],
]
for (const [name, line, message] of lines) {
  test(`${name} is refused as an authorized key with a clear text`, () =>
    assert.throws(() => parseAuthorizedKey(line), message))
}

test('any bytes are a public key or an Error, never a range error', () => {
  const types = fc.constantFrom(
    'ssh-ed25519',
    'ssh-rsa',
    'ecdsa-sha2-nistp256',
    'sk-ssh-ed25519@openssh.com',
    'toString',
  )
  fc.assert(
    fc.property(
      types,
      fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 4 }),
      fc.uint8Array({ maxLength: 8 }),
      (type, strings, tail) => {
        const blob = Buffer.concat([sshString(type), ...strings.map(sshString), tail])
        try {
          assert.ok(parsePublicKeyBlob(blob).key)
        } catch (error) {
          assert.ok(
            error instanceof Error && !(error instanceof RangeError) && !(error instanceof TypeError),
            String(error),
          )
        }
      },
    ),
  )
})
