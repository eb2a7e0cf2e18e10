import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { sshString } from '../../../src/workers/ssh/blob.ts'
import {
  blobTypeOf,
  certificateAlgorithms,
  isSignedBy,
  parseCertificate,
  plainName,
} from '../../../src/workers/ssh/certificate.ts'
import { parsePublicKeyBlob, signatureAlgorithms } from '../../../src/workers/ssh/public-key.ts'
import { parseAuthorizedKey } from '../../../src/workers/ssh/user-key.ts'
import { blobOf, makeAuthority } from '../../rigs/authority.ts'
import { makeKey } from '../../rigs/ssh.ts'
import { securityKey } from './signing.ts'

const folder = mkdtempSync(join(tmpdir(), 'certificate-'))
after(() => rmSync(folder, { recursive: true }))

/** The public half alone is enough to be certified. */
function securityKeyFile(kind: 'ed25519' | 'ecdsa'): { file: string } {
  const { algorithm, blob } = securityKey(kind)
  const file = join(folder, kind)
  writeFileSync(`${file}.pub`, `${algorithm} ${blob.toString('base64')} token\n`)
  return { file }
}

const options = [
  '-V',
  '20250102030405Z:20350102030405Z',
  '-O',
  'clear',
  '-O',
  'permit-pty',
  '-O',
  'force-command=ls -l',
]
const kinds: readonly (readonly [type: string, key: () => { file: string }])[] = [
  ['ssh-ed25519', () => makeKey('ed25519')],
  ['ecdsa-sha2-nistp256', () => makeKey('ecdsa')],
  ['ssh-rsa', () => makeKey('rsa')],
  ['sk-ssh-ed25519@openssh.com', () => securityKeyFile('ed25519')],
  ['sk-ecdsa-sha2-nistp256@openssh.com', () => securityKeyFile('ecdsa')],
]
for (const [type, key] of kinds) {
  for (const by of ['ed25519', 'ecdsa', 'rsa']) {
    test(`a certificate of ssh-keygen for ${type} by a CA of type ${by} is read whole and verified`, () => {
      using authority = makeAuthority(by)
      using other = makeAuthority(by)
      const certificate = parseCertificate(blobOf(authority.sign(key(), 'alice,bob', options)))
      assert.equal(plainName(certificate.type), type)
      assert.equal(certificate.key.type, type)
      assert.ok(parsePublicKeyBlob(certificate.key.blob).blob.equals(certificate.key.blob))
      assert.equal(certificate.kind, 'user')
      assert.equal(certificate.keyId, 'the key id')
      assert.equal(certificate.serial, 7n)
      assert.deepEqual(certificate.principals, ['alice', 'bob'])
      assert.equal(certificate.validAfter, BigInt(Date.UTC(2025, 0, 2, 3, 4, 5) / 1000))
      assert.equal(certificate.validBefore, BigInt(Date.UTC(2035, 0, 2, 3, 4, 5) / 1000))
      assert.deepEqual([...certificate.extensions.keys()], ['permit-pty'])
      assert.deepEqual(certificate.criticalOptions, new Map([['force-command', sshString('ls -l')]]))
      assert.ok(blobOf(authority.line).equals(certificate.authority))
      assert.equal(isSignedBy(certificate, parseAuthorizedKey(authority.line)), true)
      assert.equal(isSignedBy(certificate, parseAuthorizedKey(other.line)), false)
    })
  }
}

test('a certificate signed with SHA-1 is not verified', () => {
  using authority = makeAuthority('rsa')
  using key = makeKey()
  const line = authority.sign(key, 'alice', ['-t', 'ssh-rsa'])
  assert.equal(isSignedBy(parseCertificate(blobOf(line)), parseAuthorizedKey(authority.line)), false)
})

test('no changed byte of a certificate survives both the parser and the signature', () => {
  using authority = makeAuthority()
  using key = makeKey()
  const blob = blobOf(authority.sign(key, 'alice', options))
  const ca = parseAuthorizedKey(authority.line)
  fc.assert(
    fc.property(fc.nat(blob.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Buffer.from(blob)
      changed.writeUInt8((changed[at] ?? 0) ^ flip, at)
      for (const bytes of [changed, blob.subarray(0, at), Buffer.concat([blob, Buffer.of(flip)])]) {
        try {
          assert.equal(isSignedBy(parseCertificate(bytes), ca), false)
        } catch (error) {
          assert.ok(error instanceof Error && error.name !== 'AssertionError', String(error))
          assert.ok(!(error instanceof RangeError) && !(error instanceof TypeError), String(error))
        }
      }
    }),
    { numRuns: 1000 },
  )
})

const uint = (value: number, bytes: 4 | 8): Buffer => {
  const out = Buffer.alloc(bytes)
  out.writeUInt32BE(value, bytes - 4)
  return out
}
/** Without a signature: the parser does not look at it. */
function forged(parts: {
  principals?: Uint8Array
  critical?: Uint8Array
  authority?: Uint8Array
  type?: string
}): Buffer {
  const list = (bytes = Buffer.alloc(0) as Uint8Array): Buffer => sshString(bytes)
  return Buffer.concat([
    ...[
      sshString(parts.type ?? 'ssh-ed25519-cert-v01@openssh.com'),
      sshString('nonce'),
      sshString(Buffer.alloc(32, 9)),
    ],
    ...[uint(0, 8), uint(1, 4), sshString('id'), list(parts.principals), uint(0, 8), uint(1, 8)],
    ...[list(parts.critical), list(), list(), sshString(parts.authority ?? sshString('ssh-ed25519')), sshString('x')],
  ])
}
const twice = Buffer.concat([sshString('a'), sshString(''), sshString('a'), sshString('')])
const malformed: readonly (readonly [name: string, blob: Buffer, message: RegExp])[] = [
  ['an option that stands there twice', forged({ critical: twice }), /the option a stands there twice/],
  ['an option without data', forged({ critical: sshString('a') }), /option a is truncated/],
  ['a principal that is not UTF-8', forged({ principals: sshString(Buffer.of(0xff)) }), /a principal is not UTF-8/],
  ['a principal with a NUL', forged({ principals: sshString('root\0') }), /a principal is not UTF-8/],
  [
    'too many principals',
    forged({ principals: Buffer.concat(Array.from({ length: 257 }, () => sshString('a'))) }),
    /more than 256 principals/,
  ],
  [
    'a certificate as its CA',
    forged({ authority: sshString('ssh-ed25519-cert-v01@openssh.com') }),
    /its CA is a certificate itself/,
  ],
  ['a DSA key', forged({ type: 'ssh-dss-cert-v01@openssh.com' }), /unsupported key type "ssh-dss"/],
  ['a plain key', forged({ type: 'ssh-ed25519' }), /"ssh-ed25519" is no type of certificate/],
]
for (const [name, blob, message] of malformed) {
  test(`a certificate with ${name} is refused with a text that says so`, () =>
    assert.throws(() => parseCertificate(blob), message))
}

test('what the forged ones are made of is a certificate otherwise', () => {
  assert.equal(parseCertificate(forged({})).keyId, 'id')
})

test('each signature algorithm has its certificate algorithm, and blobs of RSA are all of one type', () => {
  assert.deepEqual(certificateAlgorithms.map(plainName), signatureAlgorithms)
  assert.ok(certificateAlgorithms.includes('sk-ssh-ed25519-cert-v01@openssh.com'))
  assert.equal(blobTypeOf('rsa-sha2-512-cert-v01@openssh.com'), 'ssh-rsa-cert-v01@openssh.com')
  assert.equal(blobTypeOf('rsa-sha2-256'), 'ssh-rsa')
  assert.equal(blobTypeOf('ssh-ed25519'), 'ssh-ed25519')
})
