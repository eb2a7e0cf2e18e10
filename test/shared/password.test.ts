import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createCredentials } from '../../src/shared/credentials.ts'
import { decoyHash, hashPassword, isPasswordHash, verifyPassword } from '../../src/shared/password.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
/** Cheap on purpose: argon2id over "secret" with salt 00..0f, 8 KiB, one pass. */
const cheap = decoyHash('$argon2id$v=19$m=8,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA')

test('a hash verifies its own password and no other one', async () => {
  const hash = await hashPassword(bytes('correct horse'))
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  assert.equal(await verifyPassword(bytes('correct horse'), hash), true)
  assert.equal(await verifyPassword(bytes('correct horsf'), hash), false)
  assert.equal(await verifyPassword(bytes(''), hash), false)
})

test('two hashes of one password differ', async () => {
  assert.notEqual(await hashPassword(bytes('x')), await hashPassword(bytes('x')))
})

test('a hash made by the reference implementation of argon2 verifies', async () => {
  // From the test vectors of https://github.com/P-H-C/phc-winner-argon2 (src/test.c, version 0x13, argon2id).
  const hash = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'
  assert.equal(await verifyPassword(bytes('password'), hash), true)
})

test('a password need not be UTF-8', async () => {
  const hash = await hashPassword(Uint8Array.of(0xff, 0x00, 0xfe))
  assert.equal(await verifyPassword(Uint8Array.of(0xff, 0x00, 0xfe), hash), true)
  assert.equal(await verifyPassword(Uint8Array.of(0xff, 0x00, 0xfd), hash), false)
})

test('a hash that asks too much of the machine, or is cut or changed in form, is refused', async () => {
  const salt = 'AAECAwQFBgcICQoLDA0ODw'
  const output = 'A'.repeat(43)
  for (const hash of [
    '',
    'secret',
    `$argon2i$v=19$m=8,t=1,p=1$${salt}$${output}`,
    `$argon2id$v=16$m=8,t=1,p=1$${salt}$${output}`,
    `$argon2id$v=19$m=9999999,t=1,p=1$${salt}$${output}`,
    `$argon2id$v=19$m=262144,t=9,p=1$${salt}$${output}`,
    `$argon2id$v=19$m=8,t=999,p=1$${salt}$${output}`,
    `$argon2id$v=19$m=8,t=0,p=1$${salt}$${output}`,
    `$argon2id$v=19$m=8,t=1,p=2$${salt}$${output}`,
    `$argon2id$v=19$m=8,t=1,p=1$AAAA$${output}`,
    `$argon2id$v=19$m=8,t=1,p=1$${salt}$AAAA`,
    `$argon2id$v=19$m=8,t=1,p=1$${salt}$${output}\n`,
  ]) {
    assert.equal(isPasswordHash(hash), false, hash)
    assert.equal(await verifyPassword(bytes('secret'), hash), false, hash)
  }
})

test('no text makes the verification throw', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string(), async (text) => {
      assert.equal(await verifyPassword(bytes('x'), text), false)
    }),
  )
})

test('a decoy costs what its model costs and matches nothing', async () => {
  assert.match(cheap, /^\$argon2id\$v=19\$m=8,t=1,p=1\$/)
  assert.match(decoyHash(), /\$m=19456,t=2,p=1\$/)
  assert.equal(await verifyPassword(bytes(''), cheap), false)
})

test('credentials accept the right password, refuse a wrong one, an unknown user and a user without a password', async () => {
  const credentials = createCredentials([
    { name: 'alice', passwordHash: await hashPassword(bytes('secret')) },
    { name: 'bob' },
  ])
  assert.equal(await credentials.verify('alice', bytes('secret')), 'match')
  assert.equal(await credentials.verify('alice', bytes('Secret')), 'mismatch')
  assert.equal(await credentials.verify('bob', bytes('')), 'mismatch')
  assert.equal(await credentials.verify('eve', bytes('secret')), 'mismatch')
})

test('a verified password needs no second key derivation until its time is over; a refused one is never remembered', async () => {
  let now = 0
  const users = [{ name: 'alice', passwordHash: await hashPassword(bytes('secret')) }]
  const options = { concurrency: 1, waiting: 0, rememberedMs: 100, now: () => now }
  const credentials = createCredentials(users, options)
  // With no room to wait, whoever needs a derivation while another one runs is told so: that shows who needs one.
  const needsDerivation = async (user: string, password: string): Promise<boolean> => {
    const blocker = credentials.verify('nobody', bytes('x'))
    const verdict = await credentials.verify(user, bytes(password))
    await blocker
    return verdict === 'busy'
  }
  assert.equal(await needsDerivation('alice', 'secret'), true)
  assert.equal(await credentials.verify('alice', bytes('secret')), 'match')
  assert.equal(await needsDerivation('alice', 'secret'), false)
  assert.equal(await needsDerivation('alice', 'secret2'), true)
  assert.equal(await credentials.verify('alice', bytes('wrong')), 'mismatch')
  assert.equal(await needsDerivation('alice', 'wrong'), true)
  now = 100
  assert.equal(await needsDerivation('alice', 'secret'), true)
})

test('the memory of verified passwords is bounded: the one not used for longest is forgotten', async () => {
  const passwordHash = await hashPassword(bytes('secret'))
  const users = ['a', 'b', 'c'].map((name) => ({ name, passwordHash }))
  const credentials = createCredentials(users, { concurrency: 1, waiting: 0, remembered: 2 })
  for (const { name } of users) assert.equal(await credentials.verify(name, bytes('secret')), 'match')
  const blocker = credentials.verify('nobody', bytes('x'))
  const verdicts = await Promise.all(users.map(({ name }) => credentials.verify(name, bytes('secret'))))
  await blocker
  assert.deepEqual(verdicts, ['busy', 'match', 'match'])
})

test('waiting for a turn is bounded and can be given up', async () => {
  const credentials = createCredentials([{ name: 'alice', passwordHash: cheap }], { concurrency: 1, waiting: 1 })
  const running = credentials.verify('alice', bytes('1'))
  const given = new AbortController()
  const waiting = credentials.verify('alice', bytes('2'), given.signal)
  assert.equal(await credentials.verify('alice', bytes('3')), 'busy')
  given.abort()
  assert.equal(await waiting, 'busy')
  assert.equal(await running, 'mismatch')
  assert.equal(await credentials.verify('alice', bytes('4')), 'mismatch')
})

test('the password is copied: its buffer may be used again at once', async () => {
  const credentials = createCredentials([{ name: 'alice', passwordHash: await hashPassword(bytes('secret')) }])
  const buffer = bytes('secret')
  const verdict = credentials.verify('alice', buffer)
  buffer.fill(0)
  assert.equal(await verdict, 'match')
})
