/** Decisions about keys and certificates, with the certificates of ssh-keygen. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { User } from '../../../src/shared/config/index.ts'
import { createLog } from '../../../src/shared/log.ts'
import { createUsers, type UserConfig } from '../../../src/workers/layers/users.ts'
import { sshString } from '../../../src/workers/ssh/blob.ts'
import { type OfferedKey, readOffer } from '../../../src/workers/ssh/offered-key.ts'
import { fingerprint } from '../../../src/workers/ssh/public-key.ts'
import { blobOf, makeAuthority } from '../../rigs/authority.ts'
import { makeKey } from '../../rigs/ssh.ts'
import { type SecurityKey, securityKey } from '../ssh/signing.ts'

const folder = mkdtempSync(join(tmpdir(), 'certificates-'))
const authority = makeAuthority()
const key = makeKey()
after(() => {
  rmSync(folder, { recursive: true })
  for (const made of [authority, key]) made[Symbol.dispose]()
})
const caPrint = fingerprint(blobOf(authority.line))
const alice: User = { name: 'alice', authorizedKeys: [] }
const sessionId = Buffer.from('session')

const query = (blob: Buffer, algorithm = 'ssh-ed25519-cert-v01@openssh.com'): OfferedKey => {
  const offer = readOffer(algorithm, blob, undefined, sessionId)
  assert.ok(typeof offer !== 'string', String(offer))
  return offer
}
interface Where {
  readonly username?: string
  readonly address?: string
  readonly nowMs?: number
}
/** 'granted', 'unknown', or the code and the reason. */
function decide(
  config: UserConfig,
  offer: OfferedKey,
  { username = 'alice', address = '192.0.2.1', nowMs }: Where = {},
) {
  const users = createUsers(config, createLog({ level: 'emerg', write: () => undefined }))
  const verdict = users.decide(offer, { username, address, nowMs: nowMs ?? Date.now() })
  if (verdict.kind !== 'refused') return verdict.kind
  const { code, labels } = verdict.fault
  return `${code} ${labels['reason'] ?? ''}`.trim()
}
const trusting = (more: Partial<UserConfig> = {}): UserConfig => ({
  users: [alice],
  userCAs: [authority.line],
  ...more,
})
const certify = (principals: string, options: readonly string[] = []): OfferedKey =>
  query(blobOf(authority.sign(key, principals, options)))

test('a certificate for the login name lets its user in, one for others and one for nobody do not', () => {
  assert.equal(decide(trusting(), certify('alice')), 'granted')
  assert.equal(decide(trusting(), certify('bob,alice')), 'granted')
  assert.equal(decide(trusting(), certify('bob')), 'AUTH_CERTIFICATE_REFUSED it is for bob')
  assert.equal(decide(trusting(), certify('*')), 'AUTH_CERTIFICATE_REFUSED it is for *')
  assert.equal(decide(trusting(), certify('')), 'AUTH_CERTIFICATE_REFUSED it has no principals')
})

test('the principals of a user stand in place of the login name', () => {
  const config = trusting({ users: [{ ...alice, principals: ['ops', 'dev'] }] })
  assert.equal(decide(config, certify('dev')), 'granted')
  assert.equal(decide(config, certify('alice')), 'AUTH_CERTIFICATE_REFUSED it is for alice')
})

test('who is not in auth.users comes in only with anyCertificateUser, and under the name that the certificate has', () => {
  const offer = certify('carol')
  const where = { username: 'carol' }
  assert.equal(decide(trusting(), offer, where), 'AUTH_CERTIFICATE_REFUSED the user is not listed in auth.users')
  const open = trusting({ users: [], anyCertificateUser: true })
  assert.equal(decide(open, offer, where), 'granted')
  assert.equal(decide(open, offer, { username: 'root' }), 'AUTH_CERTIFICATE_REFUSED it is for carol')
})

test('the principals of a line in userCAs limit the CA, they are nobody’s names', () => {
  const config = trusting({ userCAs: [`cert-authority,principals="ops" ${authority.line}`], anyCertificateUser: true })
  assert.equal(decide(config, certify('ops')), 'AUTH_CERTIFICATE_REFUSED it is for ops')
  assert.equal(decide(config, certify('alice')), 'AUTH_CERTIFICATE_REFUSED it is for alice')
  assert.equal(decide(config, certify('alice,ops')), 'granted')
  assert.equal(decide(config, certify('carol,ops'), { username: 'carol' }), 'granted')
})

test('a CA may be trusted for one user alone, with principals of its own', () => {
  const own = { ...alice, authorizedKeys: [`cert-authority,principals="ops" ${authority.line}`] }
  const config = { users: [own, { ...alice, name: 'bob', authorizedKeys: [key.line] }] }
  assert.equal(decide(config, certify('ops')), 'granted')
  assert.equal(decide(config, certify('alice')), 'AUTH_CERTIFICATE_REFUSED it is for alice')
  assert.match(decide(config, certify('bob'), { username: 'bob' }), /not listed/)
  // The key of a CA is none to log in with.
  assert.equal(decide(config, query(blobOf(authority.line), 'ssh-ed25519')), 'unknown')
})

test('a certificate is good from its first second until before its last', () => {
  const offer = certify('alice', ['-V', '20300101000000Z:20300102000000Z'])
  const at = (iso: string) => decide(trusting(), offer, { nowMs: Date.parse(iso) })
  assert.match(at('2029-12-31T23:59:59.999Z'), /it is not valid before 2030-01-01T00:00:00.000Z/)
  assert.equal(at('2030-01-01T00:00:00Z'), 'granted')
  assert.equal(at('2030-01-01T23:59:59.999Z'), 'granted')
  assert.match(at('2030-01-02T00:00:00Z'), /it expired at 2030-01-02T00:00:00.000Z/)
})

test('a certificate is good from its source addresses only, IPv4 and IPv6', () => {
  const offer = certify('alice', ['-O', 'source-address=192.0.2.0/24,2001:db8::/32'])
  for (const address of ['192.0.2.9', '2001:db8::9']) assert.equal(decide(trusting(), offer, { address }), 'granted')
  for (const address of ['192.0.3.9', '2001:db9::9']) {
    assert.equal(decide(trusting(), offer, { address }), `AUTH_CERTIFICATE_REFUSED it may not be used from ${address}`)
  }
})

test('what the line of the CA forbids, a certificate cannot allow, and the other way round', () => {
  const limited = trusting({ userCAs: [`no-pty,from="10.0.0.0/8" ${authority.line}`] })
  const users = createUsers(limited, createLog({ level: 'emerg', write: () => undefined }))
  const offer = certify('alice', ['-O', 'no-x11-forwarding', '-O', 'source-address=10.1.0.0/16'])
  const moment = { username: 'alice', nowMs: Date.now() }
  const verdict = users.decide(offer, { ...moment, address: '10.1.0.1' })
  assert.ok(verdict.kind === 'granted')
  const { pty, x11Forwarding, portForwarding } = verdict.options
  assert.deepEqual({ pty, x11Forwarding, portForwarding }, { pty: false, x11Forwarding: false, portForwarding: true })
  assert.equal(users.decide(offer, { ...moment, address: '10.2.0.1' }).kind, 'refused')
  assert.equal(decide(limited, certify('alice'), { address: '192.0.2.1' }).split(' ')[0], 'AUTH_CERTIFICATE_REFUSED')
})

test('a forced command comes from the certificate or the line; two different ones are refused', () => {
  const both = trusting({ userCAs: [`command="ls" ${authority.line}`] })
  assert.equal(decide(both, certify('alice', ['-O', 'force-command=ls'])), 'granted')
  assert.match(decide(both, certify('alice', ['-O', 'force-command=id'])), /it forces another command than its CA may/)
})

test('unknown critical options are refused, unknown extensions ignored', () => {
  assert.match(decide(trusting(), certify('alice', ['-O', 'critical:foo@bar=x'])), /unknown critical option foo@bar/)
  assert.equal(decide(trusting(), certify('alice', ['-O', 'extension:foo@bar=x'])), 'granted')
  const empty = ['-O', 'critical:source-address=x', '-O', 'critical:force-command']
  assert.match(decide(trusting(), certify('alice', empty)), /AUTH_CERTIFICATE_REFUSED (force-command|its critical)/)
})

test('certificates of hosts, and of CAs that nobody trusts, are for nobody', () => {
  using other = makeAuthority()
  assert.match(decide(trusting(), certify('alice', ['-h'])), /it is a host certificate/)
  assert.match(decide(trusting(), query(blobOf(other.sign(key, 'alice')))), /its CA is not trusted here/)
  const { blob } = certify('alice')
  const forged = Buffer.from(blob)
  forged.writeUInt8((forged.at(-1) ?? 0) ^ 1, forged.length - 1)
  assert.match(decide(trusting(), query(forged)), /the signature of its CA is not valid/)
})

test('keys, CAs, certified keys and serials can be revoked, also for who has them in authorizedKeys', () => {
  const offer = certify('alice')
  const plain = query(blobOf(key.line), 'ssh-ed25519')
  const with_ = (entry: string): UserConfig => ({
    ...trusting({ users: [{ ...alice, authorizedKeys: [key.line] }] }),
    revokedKeys: [entry],
  })
  for (const entry of [key.line, fingerprint(blobOf(key.line))]) {
    assert.equal(decide(with_(entry), plain), 'AUTH_KEY_REVOKED')
    assert.equal(decide(with_(entry), offer), 'AUTH_KEY_REVOKED')
  }
  for (const entry of [authority.line, caPrint, `serial:${caPrint}:7`, `serial:${caPrint}:0-10`]) {
    assert.equal(decide(with_(entry), plain), 'granted')
    assert.equal(decide(with_(entry), offer), 'AUTH_KEY_REVOKED')
  }
  for (const entry of [`serial:${caPrint}:8`, `serial:${fingerprint(blobOf(key.line))}:7`]) {
    assert.equal(decide(with_(entry), offer), 'granted')
  }
})

test('where no CA is trusted a certificate is refused, also when its key is authorized', () => {
  const config = { users: [{ ...alice, authorizedKeys: [key.line] }] }
  assert.match(decide(config, certify('alice')), /its CA is not trusted here/)
})

test('the options of an authorized key are checked at the query already', () => {
  const offer = query(blobOf(key.line), 'ssh-ed25519')
  const withOptions = (...options: readonly string[]): UserConfig => ({
    users: [{ ...alice, authorizedKeys: options.map((text) => `${text} ${key.line}`) }],
  })
  assert.match(decide(withOptions('from="10.0.0.0/8"'), offer), /AUTH_KEY_REFUSED it may not be used from 192.0.2.1/)
  assert.match(decide(withOptions('expiry-time="20200101Z"'), offer), /AUTH_KEY_REFUSED it expired at 2020/)
  // The same key twice: any line that fits will do.
  assert.equal(decide(withOptions('from="10.0.0.0/8"', 'from="192.0.2.0/24"'), offer), 'granted')
})

/** An offer that the token signed; `flags`: 1 for touched, 4 for verified. */
function signedBy(token: SecurityKey, blob: Buffer, algorithm: string, flags: number): OfferedKey {
  const signed = Buffer.from('the request')
  const signature = token.sign(Buffer.concat([sshString(sessionId), signed]), flags)
  const offer = readOffer(algorithm, blob, { signed, signature }, sessionId)
  assert.ok(typeof offer !== 'string', String(offer))
  return offer
}

for (const kind of ['ed25519', 'ecdsa'] as const) {
  const token = securityKey(kind)
  const line = `${token.algorithm} ${token.blob.toString('base64')}`
  const offer = (flags: number): OfferedKey => signedBy(token, token.blob, token.algorithm, flags)
  const withOptions = (text: string): UserConfig => ({ users: [{ ...alice, authorizedKeys: [`${text} ${line}`] }] })

  test(`a security key (${kind}) must be touched unless its line says otherwise, and can have to verify its user`, () => {
    assert.equal(decide(withOptions(''), offer(1)), 'granted')
    assert.match(decide(withOptions(''), offer(0)), /AUTH_KEY_REFUSED nobody touched the security key/)
    assert.equal(decide(withOptions('no-touch-required'), offer(0)), 'granted')
    assert.match(decide(withOptions('verify-required'), offer(1)), /the security key did not verify its user/)
    assert.equal(decide(withOptions('verify-required'), offer(5)), 'granted')
    // Nobody inside gets to see an attempt without a touch.
    assert.match(decide({ users: [alice] }, offer(0)), /nobody touched/)
    assert.equal(decide({ users: [alice] }, offer(1)), 'unknown')
  })

  test(`a certified security key (${kind}) signs without a touch only if the certificate and its CA allow it`, () => {
    const file = join(folder, `token-${kind}`)
    writeFileSync(`${file}.pub`, `${line}\n`)
    const algorithm = token.algorithm.replace('@openssh.com', '-cert-v01@openssh.com')
    const certified = (flags: number, ...options: readonly string[]): OfferedKey => {
      const blob = blobOf(
        authority.sign(
          { file },
          'alice',
          options.flatMap((option) => ['-O', option]),
        ),
      )
      return signedBy(token, blob, algorithm, flags)
    }
    const relaxed = trusting({ userCAs: [`no-touch-required ${authority.line}`] })
    assert.equal(decide(trusting(), certified(1)), 'granted')
    assert.match(decide(trusting(), certified(0)), /nobody touched/)
    assert.match(decide(trusting(), certified(0, 'no-touch-required')), /nobody touched/)
    assert.match(decide(relaxed, certified(0)), /nobody touched/)
    assert.equal(decide(relaxed, certified(0, 'no-touch-required')), 'granted')
    assert.match(decide(trusting(), certified(1, 'verify-required')), /did not verify its user/)
    assert.equal(decide(trusting(), certified(5, 'verify-required')), 'granted')
  })
}

test('a key that is none of a security key cannot verify its user, and is told so at the query', () => {
  assert.match(decide(trusting(), certify('alice', ['-O', 'verify-required'])), /it is no security key/)
})

test('an offer whose key is of another type than its algorithm is refused at the query', () => {
  const blob = blobOf(key.line)
  for (const algorithm of ['rsa-sha2-512', 'ssh-ed25519-cert-v01@openssh.com']) {
    assert.match(String(readOffer(algorithm, blob, undefined, sessionId)), /not of the type/)
  }
  assert.match(String(readOffer('ssh-rsa-cert-v01@openssh.com', blob, undefined, sessionId)), /not supported/)
})
